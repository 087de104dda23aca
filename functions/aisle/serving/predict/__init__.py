"""The API of predictions: products in, categories out, with the model that serves just now.

`live` swaps the model when another is published. How a model answers is `aisle.model`'s, and the
handler of the Lambda function is in `functions/predict`.
"""
