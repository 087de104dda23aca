"""The linear stage's integer product: exact, however products are batched."""

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model.linear import DIGITS, Scorers
from aisle.model.tfidf import Features

TERMS, SCORERS, CLASSES = 400, 7, 5


@pytest.fixture
def chance():
    """Give random numbers that are the same every time."""
    return np.random.default_rng(7)


@pytest.fixture
def scorers(chance):
    """Give scales that differ by orders of magnitude, and slots."""
    return Scorers(
        scale=(10 ** chance.uniform(-5, -1, TERMS)).astype(np.float32),
        slots=chance.integers(0, SCORERS, (CLASSES, 3)),
        slot_weights=chance.random((CLASSES, 3)).astype(np.float32),
    )


def features_of(chance, *sizes):
    """Return features of products with so many terms each."""
    indices = [np.sort(chance.choice(TERMS, size, replace=False)) for size in sizes]
    return Features(
        np.cumsum([0, *sizes]),
        np.concatenate(indices).astype(np.int64),
        chance.random(sum(sizes)).astype(np.float32),
        np.zeros((len(sizes), 2), np.float32),
    )


def sums_of(scorers, features, weights):
    """Return what the graph does: the digits times the weights of each product's terms."""
    digits, worth = scorers.digits(features)
    spans = zip(features.indptr, features.indptr[1:], strict=False)
    sums = [
        digits[:, first:last].astype(np.int32) @ weights[features.indices[first:last]]
        for first, last in spans
    ]
    return np.stack(sums), worth


def test_product_is_that_of_real_numbers(scorers, chance):
    """Digits times weights, put together, are the values times the scaled weights."""
    features = features_of(chance, 3, 300, 1, 40)
    weights = chance.integers(-127, 128, (TERMS, SCORERS)).astype(np.int32)
    offsets = chance.random((4, SCORERS)).astype(np.float32)
    sums, worth = sums_of(scorers, features, weights)
    found = scorers.margins(sums.astype(np.int32), worth, offsets)
    real = scorers.scale.astype(np.float64)[:, None] * weights
    for row in range(4):
        part = slice(features.indptr[row], features.indptr[row + 1])
        values = features.values[part].astype(np.float64)
        expected = values @ real[features.indices[part]] + offsets[row]
        scale = np.abs(values[:, None] * real[features.indices[part]]).max()
        assert found[row] == pytest.approx(expected, abs=2e-5 * scale + 1e-6)


def test_digits_have_seven_bits(scorers, chance):
    """Products of two pairs of factors fit into 16 bits; a product's largest value has all ones."""
    digits, _ = scorers.digits(features_of(chance, 50, 80))
    assert digits.dtype == np.uint8
    assert digits.shape == (DIGITS, 130)
    assert digits.max() == 127
    assert 2 * int(digits.max()) * 127 < 2**15
    assert (digits == 127).all(axis=0).sum() == 2


def test_products_do_not_touch_each_other(scorers, chance):
    """What a product is sent with changes no digit of it, also if it has no terms."""
    together = features_of(chance, 20, 0, 60)
    digits, worth = scorers.digits(together)
    for row in range(3):
        first, last = together.indptr[row : row + 2]
        alone = Features(
            np.array([0, last - first]),
            together.indices[first:last],
            together.values[first:last],
            together.vectors[row : row + 1],
        )
        own, unit = scorers.digits(alone)
        np.testing.assert_array_equal(own, digits[:, first:last])
        assert unit[0] == worth[row]


def test_probabilities_on_paper():
    """Two classes of one scorer each; the second one's counts twice."""
    scorers = Scorers(np.ones(1, np.float32), np.array([[0], [1]]), np.float32([[1], [2]]))
    (found,) = scorers.probabilities(np.float32([[1.0, 1.0]]))
    assert found == pytest.approx([1 / (1 + np.e), np.e / (1 + np.e)])
    assert found.dtype == np.float32


def test_extreme_margins_stay_probabilities(scorers):
    """Softmax neither overflows nor divides by nothing."""
    found = scorers.probabilities(np.float32([[500.0] * 6 + [-500.0]] * 2))
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx([1, 1])


def test_file(scorers):
    """What is written is read, and half a file is refused."""
    data = scorers.to_bytes()
    again = Scorers.from_bytes(data)
    for name in ("scale", "slots", "slot_weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scorers, name))
    with pytest.raises(BundleError, match=r"scorers cannot be read.*Export the model again"):
        Scorers.from_bytes(data[: len(data) // 2])
