"""Words -> pieces -> vectors, for words that no training product has."""

import numpy as np
import pytest

from aisle.model.word_vectors import WordVectors
from aisle.product import Product

PIECES = ["pan", "##s", "##cake", "red", "cafe"]
VECTORS = np.array([[0, 100, 0], [0, 50, 0], [0, 0, 100], [100, 0, 0], [60, 80, 0]], np.int8)
WEIGHTS = {"red": 3.0}
PRODUCTS = [
    Product("red pans", "pancake"),
    Product(description="red red pan"),
    Product(name="zzz"),
    Product(),
]


@pytest.fixture
def vectors():
    """Give vectors of a few pieces; "red" weighs three times as much as other words."""
    return WordVectors(PIECES, VECTORS, lambda word: WEIGHTS.get(word, 1.0))


def test_vector_on_paper(vectors):
    """A word weighs (1 + ln tf) * idf; here red 3 (1 + ln 2) = 5.0794, pan 1."""
    (vector,) = vectors.transform([Product(description="red red pan")])
    assert vector == pytest.approx(np.array([5.0794, 1, 0]) / np.hypot(5.0794, 1), abs=1e-4)


def test_word_of_several_pieces(vectors):
    """A word's vector is divided by the square root of its number of pieces.

    Beside "red", which weighs 3: "pans" has 2 pieces, which sum to 150 of 100.
    """
    (vector,) = vectors.transform([Product(name="red pans")])
    assert vector == pytest.approx(np.array([3, 1.5 / np.sqrt(2), 0]) / np.hypot(3, 1.5 / 2**0.5))


def test_fields_count_the_same(vectors):
    """A long description does not outweigh a short name."""
    (vector,) = vectors.transform([Product("red", "pan " * 50)])
    assert vector == pytest.approx([np.sqrt(0.5), np.sqrt(0.5), 0])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pan", [0, 1, 0]),
        ("pancake", [0, np.sqrt(0.5), np.sqrt(0.5)]),
        ("panzzz", [0, 1, 0]),
        ("café", [0.6, 0.8, 0]),
        ("zzz", [0, 0, 0]),
        ("cake", [0, 0, 0]),
    ],
)
def test_words_are_cut_into_pieces(vectors, word, expected):
    """A word is split into the longest known pieces from its start; accents do not matter."""
    assert vectors.transform([Product(name=word)])[0] == pytest.approx(expected, abs=1e-6)


def test_length(vectors):
    """Vectors have unit length; that of a product without a known piece is zero."""
    lengths = np.linalg.norm(vectors.transform(PRODUCTS), axis=1)
    assert lengths == pytest.approx([1, 1, 0, 0])


def test_alone_or_together(vectors):
    """A product's vector does not depend on the others in the batch."""
    together = vectors.transform(PRODUCTS)
    alone = [vectors.transform([product])[0] for product in PRODUCTS]
    assert np.allclose(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("product", PRODUCTS)
def test_contributions_add_up(vectors, product):
    """The words' contributions add up to the vector's projection on the direction."""
    direction = np.array([0.5, -1, 2], np.float32)
    by_field = vectors.contributions(product, direction)
    total = sum(value for by_word in by_field.values() for value in by_word.values())
    assert total == pytest.approx(float(vectors.transform([product])[0] @ direction), abs=1e-5)


def test_no_products(vectors):
    """An empty batch has no vectors."""
    assert vectors.transform([]).shape == (0, 3)


def test_full_cache(vectors, monkeypatch):
    """Vectors have the same bits with cached words, without, and with a full cache."""
    first, cached = (vectors.transform(PRODUCTS) for _ in range(2))
    monkeypatch.setattr("aisle.model.word_vectors.CACHED_WORDS", 1)
    small = WordVectors(PIECES, VECTORS, lambda word: WEIGHTS.get(word, 1.0))
    for other in (cached, small.transform(PRODUCTS), small.transform(PRODUCTS)):
        np.testing.assert_array_equal(other, first)
