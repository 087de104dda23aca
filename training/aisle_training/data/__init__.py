"""From a catalogue and feedback to what a model may learn: snapshots, splits, and whom to believe.

Nothing is fitted here for serving. Reading a shop's files is `aisle.catalogue`'s, keeping and
counting feedback `aisle.feedback`'s.
"""
