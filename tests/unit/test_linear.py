"""The linear stage: sparse weights times features, the same in every batch."""

from dataclasses import replace

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model.linear import LinearStage
from aisle.model.tfidf import Features

TERMS, SVMS, CLASSES, DIMENSIONS = 400, 7, 5, 3


@pytest.fixture
def random():
    """Give a random generator with a fixed seed."""
    return np.random.default_rng(7)


@pytest.fixture
def dense(random):
    """Give weights int8 (terms, svms), two thirds of them zero; those of term 9 are all zero."""
    weights = random.integers(-127, 128, (TERMS, SVMS)) * (random.random((TERMS, SVMS)) < 1 / 3)
    weights[9] = 0
    return weights.astype(np.int8)


@pytest.fixture
def stage(random, dense):
    """Give a linear stage with these weights and scales that differ by orders of magnitude."""
    return LinearStage(
        indptr=np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))]),
        indices=np.nonzero(dense)[1].astype(np.uint16),
        data=dense[dense != 0],
        scale=(10 ** random.uniform(-5, -1, TERMS)).astype(np.float32),
        vector_weights=random.normal(size=(SVMS, DIMENSIONS)).astype(np.float32),
        intercepts=random.normal(size=SVMS).astype(np.float32),
        slots=random.integers(0, SVMS, (CLASSES, 3)),
        slot_weights=random.random((CLASSES, 3)).astype(np.float32),
    )


def features_of(random, *sizes):
    """Return features of products with these numbers of terms."""
    indices = [np.sort(random.choice(TERMS, size, replace=False)) for size in sizes]
    return Features(
        np.cumsum([0, *sizes]),
        np.concatenate(indices).astype(np.int64),
        random.random(sum(sizes)).astype(np.float32),
        random.normal(size=(len(sizes), DIMENSIONS)).astype(np.float32),
    )


def test_margins_are_a_matrix_product(stage, dense, random):
    """Margins are values times scaled weights, plus the vector's margin and the intercept."""
    features = features_of(random, 3, 300, 0, *[40] * 20, 0)
    margins = stage.margins(features)
    weights = stage.scale[:, None].astype(np.float64) * dense
    for row, vector in enumerate(features.vectors):
        product = features.rows(row, row + 1)
        expected = product.values @ weights[product.indices]
        expected += stage.vector_weights @ vector + stage.intercepts
        assert margins[row] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert margins.dtype == np.float32


def test_margins_do_not_depend_on_the_batch(stage, random):
    """A product's margins have the same bits alone and at any place in a batch."""
    features = features_of(random, *range(0, 200, 7))
    together = stage.margins(features)
    for row in range(len(together)):
        (alone,) = stage.margins(features.rows(row, row + 1))
        np.testing.assert_array_equal(alone, together[row])
    np.testing.assert_array_equal(stage.margins(features.rows(3, 17)), together[3:17])


def test_no_products(stage, random):
    """An empty batch has no margins."""
    assert stage.margins(features_of(random, 5).rows(0, 0)).shape == (0, SVMS)


@pytest.mark.parametrize("label", range(CLASSES))
def test_contributions_add_up_to_the_score(stage, random, label):
    """The contributions of terms, vector and intercepts add up to a class's score."""
    features = features_of(random, 60)
    margins = stage.margins(features)[0]
    score = margins[stage.slots[label]] @ stage.slot_weights[label]
    intercept = stage.intercepts[stage.slots[label]] @ stage.slot_weights[label]
    vector = features.vectors[0] @ stage.direction(label)
    terms = stage.contributions(features, label)
    assert terms.shape == (60,)
    assert terms.sum() + vector + intercept == pytest.approx(score, abs=1e-4)


def test_contribution_of_a_term(stage, dense, random):
    """A term adds its value times its scaled weight in each slot, times the slot's weight."""
    features = features_of(random, 60)
    weights = dense[features.indices][:, stage.slots[2]] @ stage.slot_weights[2]
    expected = features.values * stage.scale[features.indices] * weights
    assert stage.contributions(features, 2) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_contributions_of_terms_without_weights(stage):
    """A term that no SVM weighs contributes nothing, also as the last one."""
    features = Features(
        np.array([0, 2]), np.array([3, 9]), np.ones(2, np.float32), np.ones((1, 3), np.float32)
    )
    first, last = stage.contributions(features, 2)
    assert first != 0
    assert last == 0


def test_probabilities_on_paper(stage):
    """Probabilities are the softmax of the scores, margins times slot weights: here 1.5 and 2."""
    two_classes = replace(stage, slots=np.array([[1], [0]]), slot_weights=np.float32([[1], [2]]))
    (probabilities,) = two_classes.probabilities(np.float32([[1.0, 1.5]]))
    assert probabilities == pytest.approx([1 / (1 + np.exp(0.5)), 1 / (1 + np.exp(-0.5))])
    assert probabilities.dtype == np.float32


def test_extreme_margins_stay_probabilities(stage):
    """Softmax neither overflows nor divides by zero, whatever else is in the batch."""
    probabilities = stage.probabilities(np.float32([[500.0] * 6 + [-500.0], [-500.0] * 7]))
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx([1, 1])


def test_file(stage):
    """A written file is read back with the same arrays and types."""
    read = LinearStage.from_bytes(stage.to_bytes(), "linear.x")
    for name in LinearStage.KINDS:
        np.testing.assert_array_equal(getattr(read, name), getattr(stage, name))
        assert getattr(read, name).dtype == getattr(stage, name).dtype


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"\0" * 99]
)
def test_damaged_file(stage, damage):
    """A damaged file is an error that names it, says why, and what to do."""
    message = r"linear\.x cannot be read: Error while deserializing.*Export the model again"
    with pytest.raises(BundleError, match=message):
        LinearStage.from_bytes(damage(stage.to_bytes()), "linear.x")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("data", lambda array: array.astype(np.float32), "data as float32"),
        ("indptr", lambda array: array[:, None], "indptr as int64"),
        ("slots", lambda array: array.astype(np.float64), "slots as float64"),
        ("scale", lambda array: array * np.float32(np.nan), "scale that are not finite"),
        ("intercepts", lambda array: array + np.float32(np.inf), "intercepts that are not finite"),
    ],
)
def test_arrays_of_another_kind(stage, name, change, message):
    """An array of another type or rank, or with numbers that are not finite, is refused."""
    other = replace(stage, **{name: np.ascontiguousarray(change(getattr(stage, name)))})
    with pytest.raises(BundleError, match=message):
        LinearStage.from_bytes(other.to_bytes(), "linear.x")


def test_file_without_an_array():
    """A safetensors file that lacks an array raises an error that names the array."""
    from safetensors.numpy import save

    with pytest.raises(BundleError, match=r"linear\.x cannot be read: it has no array 'indptr'"):
        LinearStage.from_bytes(save({"data": np.zeros(1, np.int8)}), "linear.x")
