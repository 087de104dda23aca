"""Commands for who makes models: data, train, retrain, stage, evaluate, compare.

They need the training extra. The work itself is in `aisle_training` and `aisle_benchmark`; which
model serves is chosen in `manage`.
"""
