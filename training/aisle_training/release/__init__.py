"""From a trained model to one that serves, or not: export, evaluate, gate, report, publish.

Models are asked here as in service, through their exported bundle; none is changed. Going back to a
model, and the list of them, is `aisle.registry`'s.
"""
