"""What every API here has: problems, limits of a body, access by API key, settings, docs.

Nothing of a single route belongs here, and nothing of Lambda. It loads without numpy.
"""
