"""A shop's catalogue: read rows, products and labels from a file or URL, and write results.

Only `source` knows where rows come from, and only `formats` and `columns` how they are encoded.
Training data and the snapshots in a store do not belong here.
"""
