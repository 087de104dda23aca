"""Feedback on predictions: events, their counts, their review, and the retraining trigger.

It writes, reads, counts and reviews events, and decides when retraining is due. Which events
to believe is decided in `aisle_training.data`; the HTTP schemas are in `aisle.serving.feedback`. It
runs without numpy.
"""
