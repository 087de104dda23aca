"""The model in service: a bundle of data, and what makes a product's categories and evidence of it.

Needs numpy and onnxruntime and no other library. Nothing is learnt here (`aisle_training.fit` is
for that), and nothing is fetched: stores and versions are `aisle.registry`'s.
"""
