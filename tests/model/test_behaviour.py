"""The packaged model: what must not change an answer, what must, and the simplest asks."""

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
    "small letters": str.lower,
    "commas": lambda name: name.replace(" ", ", "),
    "dashes": lambda name: f"- {name.replace(' ', ' - ')} -",
    "spaces and lines": lambda name: f"\n {name.replace(' ', '  ')}\t",
    "markup": lambda name: f"<p><b>{name.replace(' ', '&nbsp;')}</b></p>",
    "a trademark": lambda name: f"{name}&#174;®!",
    "wide letters": lambda name: name.translate({at: at + 0xFEE0 for at in range(0x41, 0x7B)}),
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
    """Return the name of the department that a product is put in."""
    (found,) = classifier.predict([product], explain=False)
    return found.levels[0].category.name


def confidence(classifier, name, node):
    """Return how sure the model is that a product is at a node of this name or below."""
    rolled = classifier.taxonomy.roll_up(classifier.predict_proba([Product(name)]))[0]
    named = [at for at, path in enumerate(classifier.taxonomy.nodes) if path[-1].name == node]
    return float(rolled[named].sum())


# What must never be wrong.


@pytest.mark.parametrize(("name", "department"), PRODUCTS.items())
@pytest.mark.parametrize(
    "fields",
    [{"name": "{}"}, {"description": "{}"}, {"name": "{}", "description": "{}"}],
    ids=["name", "description", "both"],
)
def test_plain_products_find_their_department(packaged, name, department, fields):
    """What is said plainly is understood, whichever field says it."""
    product = Product(**{field: text.format(name) for field, text in fields.items()})
    assert top(packaged, product) == department


# What must not change an answer.


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("typed", SAME_TEXT.values(), ids=SAME_TEXT)
def test_same_words_are_the_same_answer(packaged, name, typed):
    """Case, punctuation, spaces, markup and letter forms change no probability."""
    assert typed(name) != name
    before, after = packaged.predict_proba([Product(name), Product(typed(name))])
    assert np.array_equal(before, after)


@pytest.mark.parametrize(("name", "department"), PRODUCTS.items())
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_stay_in_their_department(packaged, name, department, variant):
    """Colour, size, number, an unknown maker and a model number move no product."""
    assert top(packaged, Product(variant.format(name))) == department


@pytest.mark.parametrize(("name", "department"), PRODUCTS.items())
@pytest.mark.parametrize("price", [0.0, 49.5, 120.0])
def test_price_alone_moves_no_product(packaged, name, department, price):
    """What a product costs does not outweigh what it is."""
    assert top(packaged, Product(name, price=price)) == department


# What must change an answer.


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
    """Words that belong to a category raise its confidence, wherever they stand."""
    before = confidence(packaged, name, node)
    assert confidence(packaged, f"{name} {added}", node) > before + 0.02
    assert confidence(packaged, f"{added} {name}", node) > before + 0.02


@pytest.mark.parametrize("name", PRODUCTS)
def test_words_that_nobody_knows_lower_no_department_to_nothing(packaged, name):
    """Made-up words beside known ones leave the department the likeliest by far."""
    before = confidence(packaged, name, PRODUCTS[name])
    assert confidence(packaged, f"{name} Zvqx Wklj", PRODUCTS[name]) > before / 3


def test_empty_words_make_it_unsure(packaged):
    """A text of unknown words alone has no answer without review."""
    (found,) = packaged.predict([Product("Zvqx Wklj Qqrt")])
    assert found.needs_review
    assert found.answer is None
