"""Running a plan: each candidate on each fold in a separate process, with stored results.

The tasks of a plan, the worker that runs one, and the estimate of the remaining time belong here.
What a candidate does belongs in `candidates`, the storage of its results in `results`, and their
evaluation in `reporting`.
"""
