"""The model in service: a bundle of data, and the code that predicts with it.

Needs numpy and onnxruntime and no other library. Nothing is learnt here (`aisle_training.fit` is
for that), and nothing is fetched: stores and versions are `aisle.registry`'s.
"""
