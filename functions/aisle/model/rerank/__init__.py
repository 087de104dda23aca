"""The second stage in service: candidates, their features, LightGBM's trees, and calibration.

It redistributes the linear stage's probability among the best few classes. What fits the trees,
the nearest neighbours and naive Bayes is `aisle_training.fit`.
"""
