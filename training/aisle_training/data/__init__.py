"""From a catalogue and its feedback to training data: snapshots, splits and label aggregation.

Nothing here fits the model that serves. `aisle.catalogue` reads a shop's files, and
`aisle.feedback` stores and counts feedback.
"""
