"""What the notebooks share: their data, their tables, and the mistakes that they look at.

Code that more than one notebook needs belongs here, or that is worth a test. What `aisle compare`
needs too belongs in `reporting`.
"""
