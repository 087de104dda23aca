"""The retrain function on Lambda: new feedback in, perhaps a training job out.

Handler, settings and AWS Batch; whether training is due is `aisle.feedback`'s to decide. It runs
without numpy, and is no part of the wheel.
"""
