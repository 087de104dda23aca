"""The API of feedback: its request and answer, and the application of its routes.

What an event is, where it is kept and what counts is `aisle.feedback`'s. It loads without numpy, as
the function that keeps feedback has none.
"""
