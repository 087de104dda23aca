"""Running a plan: each candidate on each fold in a process of its own, its results kept.

Plans, the worker, the clock, the estimate of the time left and the kept results belong here. What a
candidate does belongs in `candidates`, what its results say in `reporting`.
"""
