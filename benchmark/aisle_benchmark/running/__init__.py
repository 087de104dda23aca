"""Running a plan: each candidate on each fold in a process of its own, its results kept.

The tasks of a plan, the worker that runs one, and the estimate of the time left belong here. What a
candidate does belongs in `candidates`, how its results are kept in `results`, and what they say in
`reporting`.
"""
