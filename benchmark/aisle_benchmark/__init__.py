"""The benchmark: the shipped model compared with common alternatives on the same data.

The code of `aisle compare` and of the notebooks belongs here: the protocol, the candidates, how
they run, their metrics and reports, and the research behind the training job's choices. Modules
that several of its packages need are beside them. Nothing that the job or the service needs
belongs here: their images do not contain this package, and they never import it.
"""
