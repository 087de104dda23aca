"""The predict API: products in, categories out, with the current model.

`live` swaps the model when another is published. Prediction itself is in `aisle.model`, the Lambda
handler in `functions/predict`.
"""
