"""Words -> pieces -> vectors, also for words outside the vocabulary."""

import numpy as np
import pytest

from aisle.model.word_vectors import WordVectors
from aisle.product import Product

PIECES = ["pa", "##n", "##ca", "##ke", "pan", "##s", "##cake", "red", "cafe"]
VECTORS = np.array(
    [
        *([[100, 100, 100]] * 4),
        [0, 100, 0],
        [0, 50, 0],
        [0, 0, 100],
        [100, 0, 0],
        [60, 80, 0],
    ],
    np.int8,
)
WEIGHTS = {"red": 3.0}
PRODUCTS = [
    Product("red pans", "pancake"),
    Product(description="red red pan"),
    Product(name="zzz"),
    Product(),
]


@pytest.fixture
def vectors():
    """Give word vectors of a few pieces; "red" weighs 3, other words 1."""
    return WordVectors(PIECES, VECTORS, lambda word: WEIGHTS.get(word, 1.0))


def test_vector_on_paper(vectors):
    """A word weighs (1 + ln tf) * idf; here red 3 (1 + ln 2) = 5.0794, pan 1."""
    (vector,) = vectors.transform([Product(description="red red pan")])
    assert vector == pytest.approx(np.array([5.0794, 1, 0]) / np.hypot(5.0794, 1), abs=1e-4)


def test_word_of_several_pieces(vectors):
    """A word's vector is the sum of its pieces' divided by the square root of their number.

    Here: red 3 * 100, and pans, of two pieces, (100 + 50) / sqrt(2).
    """
    (vector,) = vectors.transform([Product(name="red pans")])
    expected = np.array([300, 150 / np.sqrt(2), 0])
    assert vector == pytest.approx(expected / np.linalg.norm(expected))


def test_fields_count_the_same(vectors):
    """Each field has the same length, so a long description does not outweigh a short name."""
    (vector,) = vectors.transform([Product("red", "pan " * 50)])
    assert vector == pytest.approx([np.sqrt(0.5), np.sqrt(0.5), 0])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pan", [0, 1, 0]),
        ("pancake", [0, np.sqrt(0.5), np.sqrt(0.5)]),
        ("panzzz", [0, 1, 0]),
        ("panzcake", [0, 1, 0]),
        ("café", [0.6, 0.8, 0]),
        ("zzz", [0, 0, 0]),
        ("cake", [0, 0, 0]),
    ],
)
def test_words_are_split_into_pieces(vectors, word, expected):
    """A word is split into the longest known pieces, without accents, up to an unknown part."""
    assert vectors.transform([Product(name=word)])[0] == pytest.approx(expected, abs=1e-6)


def test_length(vectors):
    """Vectors have unit length; that of a product without a known piece is zero."""
    lengths = np.linalg.norm(vectors.transform(PRODUCTS), axis=1)
    assert lengths == pytest.approx([1, 1, 0, 0])


def test_alone_or_together(vectors):
    """A product's vector does not depend on the others in the batch."""
    batch = vectors.transform(PRODUCTS)
    single = [vectors.transform([product])[0] for product in PRODUCTS]
    assert np.allclose(batch, single, rtol=0, atol=1e-6)


def test_contributions_on_paper(vectors):
    """A word contributes its part of the field's unit vector, projected and scaled like the sum.

    Here the name is (3, 1, 0) and the description (3 (1 + ln 2), 1 / sqrt(2), 1 / sqrt(2)); the
    direction adds up 1 * red, 2 * pan and (2 + 4) / sqrt(2) * pancake.
    """
    product = Product(name="red pan", description="pancake red red")
    contributions = vectors.contributions(product, np.array([1, 2, 4], np.float32))
    red, half = 3 * (1 + np.log(2)), np.sqrt(0.5)
    name, description = np.hypot(3, 1), np.hypot(red, 1)
    product_length = np.linalg.norm(
        np.array([3, 1, 0]) / name + np.array([red, half, half]) / description
    )
    name, description = name * product_length, description * product_length
    assert contributions["name"] == pytest.approx({"red": 3 / name, "pan": 2 / name})
    assert contributions["description"] == pytest.approx(
        {"red": red / description, "pancake": 6 * half / description}
    )


@pytest.mark.parametrize("product", PRODUCTS)
def test_contributions_add_up(vectors, product):
    """The contributions of all words add up to the vector's projection on the direction."""
    direction = np.array([0.5, -1, 2], np.float32)
    by_field = vectors.contributions(product, direction)
    total = sum(value for by_word in by_field.values() for value in by_word.values())
    assert total == pytest.approx(float(vectors.transform([product])[0] @ direction), abs=1e-5)


def test_no_products(vectors):
    """An empty batch has no vectors."""
    assert vectors.transform([]).shape == (0, 3)


def test_full_cache(vectors, monkeypatch):
    """Vectors have the same bits with an empty cache, with cached words and with a full cache."""
    uncached, cached = (vectors.transform(PRODUCTS) for _ in range(2))
    monkeypatch.setattr("aisle.model.word_vectors.CACHED_WORDS", 1)
    full = WordVectors(PIECES, VECTORS, lambda word: WEIGHTS.get(word, 1.0))
    for repeated in (cached, full.transform(PRODUCTS), full.transform(PRODUCTS)):
        np.testing.assert_array_equal(repeated, uncached)
