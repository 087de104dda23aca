"""The benchmark: the model that ships beside what one would pick instead, and the reasons for it.

What `aisle compare` and the notebooks run belongs here: the protocol, the candidates, how they are
run, measured and reported, and the research behind the training job's choices. What several of its
rooms need stands beside them. Nothing that the job or the service needs belongs here: this package
is no part of their images, and they never import it.
"""
