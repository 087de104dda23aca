"""Commands that administer a store: its API keys, its models, and feedback that needs a review.

None of them trains a model (`learn`) or classifies a product (`use`).
"""
