"""A product as it comes over the wire; the same for every function."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from aisle.checks import LONGEST, check
from aisle.product import Product

GOPRO: Final[JsonDict] = {
    "name": "GoPro - Camera Mount Accessory Kit - Black",
    "description": (
        "Compatible with most GoPro cameras; includes a variety of camera mounting accessories"
    ),
}
"""The example of every description."""


class Input(BaseModel):
    """What is sent: nothing unknown, no type that would have to be guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ProductInput(Input):
    """A product as a shop typed it.

    Null counts as absent. A name or a description with at least one letter or digit is needed.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [GOPRO]})

    name: Annotated[
        str | None, Field(max_length=LONGEST["name"], description="What the shop calls it.")
    ] = None
    description: Annotated[
        str | None,
        Field(
            max_length=LONGEST["description"],
            description="What the shop says of it. HTML in it is ignored.",
        ),
    ] = None
    manufacturer: Annotated[
        str | None,
        Field(max_length=LONGEST["manufacturer"], description="Who makes it, or its brand."),
    ] = None
    price: Annotated[
        float | None,
        Field(ge=0, allow_inf_nan=False, description="In the currency of the model's catalogue."),
    ] = None

    def product(self) -> Product:
        """Return the product; raise InvalidProductError where it has nothing to go by."""
        return check(Product(self.name, self.description, self.manufacturer, self.price))
