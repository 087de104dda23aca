"""Commands that build and measure models: data, train, retrain, stage, evaluate, compare.

They need the training extra. The work itself is in `aisle_training` and `aisle_benchmark`; the
commands that choose the serving model are in `manage`.
"""
