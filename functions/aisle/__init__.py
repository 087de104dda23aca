"""Aisle: which category of a shop's taxonomy does a product belong in?"""

__version__ = "0.1.0"
