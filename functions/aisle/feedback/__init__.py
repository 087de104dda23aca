"""What people say of predictions: the events, what is counted of them, and who reviews them.

Here belongs what writes, reads, counts and reviews events, and the decision that a training is due.
What to believe of them is training's business (`aisle_training.data`), what goes over the wire is
`aisle.serving.feedback`'s. It runs where there is no numpy, and imports no room above it.
"""
