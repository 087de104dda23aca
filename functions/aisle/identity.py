"""The identity of a product, and the id of a prediction."""

import hashlib
import json
from dataclasses import asdict

from aisle.normalize import normalize
from aisle.product import Product

_DIGITS = 24

Identity = tuple[str, str]
"""A product's normalised name and description; products that share both count as the same."""


def product_identity(product: Product) -> Identity:
    """Return the identity of a product; the retraining trigger and training both use it.

    >>> product_identity(Product("RED Sock", price=3.0))
    ('red sock', '')
    """
    return normalize(product.name), normalize(product.description)


def prediction_id(product: Product, model_version: str) -> str:
    """Return the id of a model's prediction for a product: 24 hexadecimal digits.

    They are the first digits of the SHA-256 of the model version, a line feed, and the product as
    JSON: the fields it has, sorted by name, without spaces, the price as a float. So the same
    product and model always give the same id.
    """
    fields = {name: value for name, value in asdict(product).items() if value is not None}
    if product.price is not None:
        fields["price"] = float(product.price) + 0.0  # minus zero becomes zero
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{model_version}\n{text}".encode()).hexdigest()[:_DIGITS]
