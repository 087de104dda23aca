"""What a product must be to be classified; the same for the API, the command line and files."""

import math

from aisle.errors import InvalidProductError
from aisle.normalize import words
from aisle.product import Product

LONGEST = {"name": 500, "description": 20_000, "manufacturer": 200}
"""The most characters of each text."""


def check(product: Product) -> Product:
    """Return a product that can be classified.

    Raises InvalidProductError, with a sentence that says what to do, where a text is too long, the
    price is negative or not finite, or nothing is there to go by.
    """
    for field, longest in LONGEST.items():
        length = len(getattr(product, field) or "")
        if length > longest:
            raise InvalidProductError(
                f"'{field}' is too long with {length:,} characters; shorten it to {longest:,}.",
                field=field,
            )
    price = product.price
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise InvalidProductError(
            f"'price' must be a finite number of 0 or more, and {price} was given; correct it or "
            "leave it out.",
            field="price",
        )
    if not (words(product.name) or words(product.description)):
        raise InvalidProductError(
            "The product has neither a letter nor a digit in its name or description; "
            "give it a name or a description.",
            field="name",
        )
    return product
