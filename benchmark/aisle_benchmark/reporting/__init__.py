"""From stored results to summary, report and charts.

Everything that is computed from stored probabilities belongs here, except the metrics that research
uses, too. Nothing here trains or runs a candidate.
"""
