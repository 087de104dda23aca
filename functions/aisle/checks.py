"""The checks that a product passes before it is classified: from the API, a command or a file."""

import math

from aisle.errors import InvalidProductError
from aisle.normalize import words
from aisle.product import Product

LONGEST = {"name": 500, "description": 20_000, "manufacturer": 200}
"""The maximum length of each text, in characters."""


def check(product: Product) -> Product:
    """Return the product if it can be classified.

    Raises InvalidProductError, whose message says what to do, if a text is too long, the price is
    negative or not finite, or neither name nor description has a letter or digit.
    """
    for field, longest in LONGEST.items():
        length = len(getattr(product, field) or "")
        if length > longest:
            raise InvalidProductError(
                f"'{field}' is too long ({length:,} characters); shorten it to {longest:,}.",
                field=field,
            )
    price = product.price
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise InvalidProductError(
            f"'price' must be a finite number of 0 or more; {price} was given. Correct it or leave "
            "it out.",
            field="price",
        )
    if not (words(product.name) or words(product.description)):
        raise InvalidProductError(
            "The product has neither a letter nor a digit in its name or description; add a name "
            "or a description.",
            field="name",
        )
    return product
