"""From kept results to what people read: measures, summary, report and pictures.

Whatever is computed from probabilities that are already there belongs here. Nothing here trains or
runs a candidate.
"""
