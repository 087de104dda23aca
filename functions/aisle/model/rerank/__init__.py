"""The second stage in service: the best few classes, described, scored by trees, and calibrated.

It only shares out anew what the linear stage gave its candidates. What fits the trees and counts
the neighbours and likelihoods is `aisle_training.fit`.
"""
