"""Commands for who uses a model: predict, classify, serve, openapi.

They work with a plain installation. What trains, or needs an extra, is in `learn`; `aisle serve`
only starts `aisle retrain`, as a process of its own (`learner`), where it is installed.
"""
