"""From prepared products to a trained model, every choice made without the frozen test.

Here belongs what learns numbers. What computes with them in service is in `aisle.model`, which this
uses, so that both read a product alike; what becomes of the model afterwards is `release`'s.
"""
