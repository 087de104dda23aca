"""The predict function on Lambda: products in, categories out.

Handler and settings; the routes are `aisle.serving.predict`'s. It is no part of the wheel.
"""
