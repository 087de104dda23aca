"""The feedback function on Lambda: what people say of predictions, kept.

Handler and settings; the routes are `aisle.serving.feedback`'s. It runs without numpy, and is no
part of the wheel.
"""
