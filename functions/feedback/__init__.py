"""The feedback function on Lambda: it stores feedback on predictions.

It holds the handler and the settings; the routes are in `aisle.serving.feedback`. It runs without
numpy and is not part of the wheel.
"""
