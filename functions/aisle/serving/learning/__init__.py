"""The API of learning: which models there were, how training and the count of feedback stand.

It reads records and reshapes them; the registry and `aisle.feedback` derive what they mean.
"""
