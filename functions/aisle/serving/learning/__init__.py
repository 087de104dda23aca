"""The learning API: the models, the training status and the feedback counts.

It reads stored records and reshapes them; the registry and `aisle.feedback` interpret them.
"""
