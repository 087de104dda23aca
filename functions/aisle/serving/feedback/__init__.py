"""The feedback API: its schemas, routes and application.

Events, their storage and their counts belong to `aisle.feedback`. It loads without numpy, which the
feedback function does not have.
"""
