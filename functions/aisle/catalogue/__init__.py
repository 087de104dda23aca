"""A shop's catalogue: from a file or an address to rows, products and labels, and results back.

`source` alone knows where rows come from, `formats` and `columns` how they are written down. What
is learnt from a catalogue, or kept of one in a store, is not here.
"""
