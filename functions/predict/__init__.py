"""The predict function on Lambda: products in, categories out.

It holds the handler and the settings; the routes are in `aisle.serving.predict`. It is not part of
the wheel.
"""
