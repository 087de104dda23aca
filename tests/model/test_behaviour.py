"""Behaviour of the packaged model: minimum functionality, invariance, and directional changes."""

import numpy as np
import pytest

from aisle.product import Product

PRODUCTS = {
    "Wireless Bluetooth Headphones": "Audio",
    "Stainless Steel Refrigerator with French Doors": "Appliances",
    "Espresso Coffee Maker": "Appliances",
    "Digital SLR Camera with 18-55mm Lens": "Cameras & Camcorders",
    "Ink Cartridge for Printer": "Connected Home & Housewares",
    "AA Alkaline Batteries": "Connected Home & Housewares",
    "Phone Case for Smartphone": "Cell Phones",
    "Wireless Optical Mouse": "Computers & Tablets",
    "HDMI Cable": "TV & Home Theater",
    "Electric Guitar with Amplifier": "Musical Instruments",
}
SAME_TEXT = {
    "capitals": str.upper,
    "lowercase": str.lower,
    "commas": lambda name: name.replace(" ", ", "),
    "dashes": lambda name: f"- {name.replace(' ', ' - ')} -",
    "spaces and lines": lambda name: f"\n {name.replace(' ', '  ')}\t",
    "markup": lambda name: f"<p><b>{name.replace(' ', '&nbsp;')}</b></p>",
    "a trademark": lambda name: f"{name}&#174;®!",
    "wide letters": lambda name: name.translate({c: c + 0xFEE0 for c in range(0x41, 0x7B)}),
}
VARIANTS = [
    "{} - Black",
    "{} - White/Silver",
    "{} (Large)",
    "{}, Set of 2",
    "Tarn - {} - Navy",
    "Kestrelworks K310 {}",
]


def top(classifier, product):
    """Return the name of a product's predicted department."""
    (prediction,) = classifier.predict([product], explain=False)
    return prediction.levels[0].category.name


def confidence(classifier, name, node):
    """Return the probability that a product belongs at or below the nodes of this name."""
    rolled_up = classifier.taxonomy.roll_up(classifier.predict_proba([Product(name)]))[0]
    nodes = [at for at, path in enumerate(classifier.taxonomy.nodes) if path[-1].name == node]
    return float(rolled_up[nodes].sum())


# Minimum functionality.


@pytest.mark.parametrize(("name", "department"), PRODUCTS.items())
@pytest.mark.parametrize(
    "fields",
    [{"name": "{}"}, {"description": "{}"}, {"name": "{}", "description": "{}"}],
    ids=["name", "description", "both"],
)
def test_plain_products_find_their_department(packaged, name, department, fields):
    """A plain product name finds its department, whichever field has it."""
    product = Product(**{field: text.format(name) for field, text in fields.items()})
    assert top(packaged, product) == department


# Invariance.


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("typed", SAME_TEXT.values(), ids=SAME_TEXT)
def test_the_same_words_get_the_same_answer(packaged, name, typed):
    """Case, punctuation, spaces, markup and letter forms change no probability."""
    assert typed(name) != name
    before, after = packaged.predict_proba([Product(name), Product(typed(name))])
    assert np.array_equal(before, after)


@pytest.mark.parametrize(("name", "department"), PRODUCTS.items())
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_stay_in_their_department(packaged, name, department, variant):
    """Colour, size, number, an unknown maker and a model number do not change the department."""
    assert top(packaged, Product(variant.format(name))) == department


@pytest.mark.parametrize(("name", "department"), PRODUCTS.items())
@pytest.mark.parametrize("price", [0.0, 49.5, 120.0])
def test_price_alone_does_not_change_the_department(packaged, name, department, price):
    """The price does not outweigh the text."""
    assert top(packaged, Product(name, price=price)) == department


# Directional changes.


@pytest.mark.parametrize(
    ("name", "added", "node"),
    [
        ("Travel Kit", "Battery Charger", "Cell Phone Batteries & Power"),
        ("Carrying Bag", "for Digital Camera", "Cameras & Camcorders"),
        ("Stand", "for Electric Guitar", "Musical Instruments"),
        ("Cable", "HDMI", "TV & Home Theater"),
        ("Replacement Filter", "for Refrigerator", "Appliances"),
        ("Case", "for Smartphone", "Cell Phones"),
        ("Wireless Adapter", "for Laptop", "Computers & Tablets"),
        ("Wireless Set", "Bluetooth Headphones", "Audio"),
    ],
)
def test_telling_words_raise_their_category(packaged, name, added, node):
    """Words that belong to a category raise its confidence, at either end of the name."""
    before = confidence(packaged, name, node)
    assert confidence(packaged, f"{name} {added}", node) > before + 0.02
    assert confidence(packaged, f"{added} {name}", node) > before + 0.02


@pytest.mark.parametrize("name", PRODUCTS)
def test_unknown_words_lower_confidence_by_a_third_at_most(packaged, name):
    """Made-up words beside known ones leave the department at least a third of its confidence."""
    before = confidence(packaged, name, PRODUCTS[name])
    assert confidence(packaged, f"{name} Zvqx Wklj", PRODUCTS[name]) > before / 3


def test_unknown_words_alone_need_review(packaged):
    """A text of unknown words only gets no answer, and needs review."""
    (prediction,) = packaged.predict([Product("Zvqx Wklj Qqrt")])
    assert prediction.needs_review
    assert prediction.answer is None
