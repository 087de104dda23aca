"""Code of the notebooks: their data, their tables, and the analysis of mistakes.

Code that several notebooks need or that is worth a test belongs here. Code that `aisle compare`
needs, too, belongs in `reporting`.
"""
