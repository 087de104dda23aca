"""The schema of a product, shared by all APIs."""

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
"""The example product of the OpenAPI descriptions."""


class Input(BaseModel):
    """A request schema: no unknown fields, no type conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ProductInput(Input):
    """A product as a shop typed it.

    The name or the description must have at least one letter or digit. Null counts as absent.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [GOPRO]})

    name: Annotated[
        str | None, Field(max_length=LONGEST["name"], description="The product's name in the shop.")
    ] = None
    description: Annotated[
        str | None,
        Field(
            max_length=LONGEST["description"],
            description="The shop's description. HTML markup is ignored.",
        ),
    ] = None
    manufacturer: Annotated[
        str | None,
        Field(max_length=LONGEST["manufacturer"], description="The manufacturer or brand."),
    ] = None
    price: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="The price, in the currency of the catalogue the model was trained on.",
        ),
    ] = None

    def product(self) -> Product:
        """Return the product; raise InvalidProductError if it cannot be classified."""
        return check(Product(self.name, self.description, self.manufacturer, self.price))
