"""The retrain function on Lambda: it starts a training job when new feedback makes one due.

It holds the handler, the settings and the call to AWS Batch; `aisle.feedback` decides whether
retraining is due. It runs without numpy and is not part of the wheel.
"""
