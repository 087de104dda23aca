"""Which product is the same as another, and the name of a prediction."""

import hashlib
import json
from dataclasses import asdict

from aisle.normalize import normalize
from aisle.product import Product

_DIGITS = 24

Identity = tuple[str, str]
"""What makes a product the same as another: its name and description, normalised."""


def product_identity(product: Product) -> Identity:
    """Return what a product is known by, for the trigger and for learning alike.

    >>> product_identity(Product("RED Sock", price=3.0))
    ('red sock', '')
    """
    return normalize(product.name), normalize(product.description)


def prediction_id(product: Product, model_version: str) -> str:
    """Return the id of what a model says of a product: 24 hexadecimal digits.

    The first digits of the SHA-256 of the model's version, a line feed, and the product as JSON:
    the fields that it has, by name, without spaces, the price as a float. So the same product asked
    of the same model has the same id, wherever and whenever it is asked.
    """
    fields = {name: value for name, value in asdict(product).items() if value is not None}
    if product.price is not None:
        fields["price"] = float(product.price) + 0.0  # minus zero becomes zero
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{model_version}\n{text}".encode()).hexdigest()[:_DIGITS]
