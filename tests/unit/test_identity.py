import hashlib

import pytest

from aisle.identity import prediction_id
from aisle.product import Product


def test_id_is_as_documented():
    """The id is the beginning of the SHA-256 of the version and the product's canonical JSON."""
    text = 'v1\n{"description":"caf\\u00e9","name":"tv","price":10.0}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:24]
    assert prediction_id(Product("tv", "café", None, 10), "v1") == expected


@pytest.mark.parametrize(("one", "other"), [(10, 10.0), (0.0, -0.0)])
def test_equal_prices_have_equal_ids(one, other):
    """How a price is held does not matter."""
    assert prediction_id(Product("tv", price=one), "v1") == prediction_id(
        Product("tv", price=other), "v1"
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
def test_other_question_has_other_id(product, version):
    """Another product or another model gives another id."""
    assert prediction_id(product, version) != prediction_id(Product("tv"), "v1")
