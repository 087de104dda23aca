"""Commands that use a model: predict, classify, serve, openapi.

They work with a plain installation. Commands that train or need an extra are in `learn`; `aisle
serve` only starts `aisle retrain` as a separate process (`learner`), if that is installed.
"""
