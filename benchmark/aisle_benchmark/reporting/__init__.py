"""From kept results to what people read: summary, report and pictures.

Whatever is computed from probabilities that are already there belongs here, but for the measures
that research needs too. Nothing here trains or runs a candidate.
"""
