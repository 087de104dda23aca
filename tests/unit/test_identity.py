"""What identifies a prediction, and what identifies a product."""

import hashlib

import pytest

from aisle.identity import prediction_id, product_identity
from aisle.product import Product


def test_id_is_as_documented():
    """The id is the first 24 digits of the SHA-256 of the version and the canonical JSON."""
    text = 'v1\n{"description":"caf\\u00e9","name":"tv","price":10.0}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:24]
    assert prediction_id(Product("tv", "café", None, 10), "v1") == expected


@pytest.mark.parametrize(("price", "equal"), [(10, 10.0), (0.0, -0.0)])
def test_equal_prices_have_equal_ids(price, equal):
    """Equal prices give equal ids, whatever their type or sign of zero."""
    assert prediction_id(Product("tv", price=price), "v1") == prediction_id(
        Product("tv", price=equal), "v1"
    )


@pytest.mark.parametrize(
    ("product", "version"),
    [
        (Product("tv"), "v2"),
        (Product("TV"), "v1"),
        (Product(None, "tv"), "v1"),
        (Product("tv", ""), "v1"),
        (Product("tv", price=0.0), "v1"),
    ],
)
def test_other_input_has_another_id(product, version):
    """Another product, or another model, gives another id."""
    assert prediction_id(product, version) != prediction_id(Product("tv"), "v1")


def test_price_and_manufacturer_do_not_identify_a_product():
    """A product is identified by its normalized name and description alone."""
    assert product_identity(Product("Red SOCK", "Warm.", "Tarn", 3.0)) == ("red sock", "warm")
    assert product_identity(Product("red sock", "warm")) == ("red sock", "warm")
