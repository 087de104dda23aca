"""Confidences that mean what they say, and the thresholds above which they are believed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from aisle.product import path_from_names
from aisle.taxonomy import Taxonomy
from aisle_training.fit.calibrate import NEVER, answer_thresholds, confidences, fit_level_weights

CLASSES = [path_from_names(names) for names in (["A", "1"], ["A", "2"], ["B"])]
TAXONOMY = Taxonomy(CLASSES, [])
PRIOR = np.array([0.5, 1.0], np.float32)


@pytest.fixture(scope="module")
def overconfident():
    """Give margins (products, classes, slots) five times too big for the labels."""
    chance = np.random.default_rng(1)
    true = chance.normal(size=(2000, 4, 2)).astype(np.float32)
    probabilities = softmax(true.sum(axis=2), axis=1)
    labels = np.array([chance.choice(4, p=row) for row in probabilities])
    return 5 * true, labels


def log_loss(margins, labels, weights):
    """Return the mean log loss of the labels."""
    return -log_softmax(margins @ weights, axis=1)[np.arange(len(labels)), labels].mean()


def test_weights_lower_the_log_loss(overconfident):
    """On overconfident margins, the weights found come near the true ones and lose less."""
    margins, labels = overconfident
    found = fit_level_weights(lambda rows: margins[rows], labels, PRIOR)
    assert found == pytest.approx([0.2, 0.2], abs=0.03)
    assert log_loss(margins, labels, found) < 0.7 * log_loss(margins, labels, PRIOR)


def test_weights_are_those_of_the_slots_that_matter(overconfident):
    """A slot of pure noise gets a small weight, the one that tells the classes a big one."""
    margins, labels = overconfident
    chance = np.random.default_rng(2)
    mixed = np.stack([chance.normal(size=(2000, 4)), margins.sum(axis=2)], axis=2)
    noise, signal = fit_level_weights(lambda rows: mixed[rows].astype(np.float32), labels, PRIOR)
    assert noise < 0.1 < signal


def test_products_of_unknown_classes_are_left_out(overconfident):
    """Products whose class is unknown change nothing."""
    margins, labels = overconfident
    padded = np.concatenate([margins, 100 * margins[:50]])
    unknown = np.concatenate([labels, np.full(50, -1)])
    expected = fit_level_weights(lambda rows: margins[rows], labels, PRIOR)
    found = fit_level_weights(lambda rows: padded[rows], unknown, PRIOR)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("count", [0, 5])
def test_without_a_known_class_the_prior_stays(count):
    """Where no product's class is known, the weights are the prior."""
    margins = np.ones((count, 4, 2), np.float32)
    found = fit_level_weights(lambda rows: margins[rows], np.full(count, -1), PRIOR)
    assert found.tolist() == PRIOR.tolist()


def thresholds(probabilities, paths, precision=0.9):
    """Return the thresholds of predictions on the taxonomy of this file."""
    probabilities = np.array(probabilities, np.float32).reshape(len(paths), len(CLASSES))
    # In two parts: cross-fitting judges each fold by another model.
    parts = [
        confidences(TAXONOMY, probabilities[rows], paths[rows])
        for rows in (slice(None, None, 2), slice(1, None, 2))
    ]
    return answer_thresholds(parts, precision=precision)


def precision_above(found, probabilities, paths, depth):
    """Return the share of right answers at a level from its threshold up, 1 where there is none."""
    probabilities = np.array(probabilities, np.float32)
    rolled = TAXONOMY.roll_up(probabilities)
    right = [
        CLASSES[best][: depth + 1] == path[: depth + 1]
        for row, (best, path) in enumerate(zip(probabilities.argmax(axis=1), paths, strict=True))
        if len(CLASSES[best]) > depth
        and rolled[row, TAXONOMY.ancestors[best, depth]] >= found[depth]
    ]
    return sum(right) / len(right) if right else 1


def test_threshold_is_the_least_that_reaches_the_precision():
    """The threshold is as low as the precision of the answers above it allows."""
    sure, unsure = [[0.9, 0.05, 0.05]] * 30, [[0.5, 0.3, 0.2]] * 30
    paths = [CLASSES[0]] * 30 + [CLASSES[2]] * 30
    assert thresholds(sure + unsure, paths) == pytest.approx((0.95, 0.9))
    assert thresholds(sure + unsure, paths, precision=0.5) == pytest.approx((0.8, 0.5))


def test_levels_have_their_own_thresholds():
    """Where the shelf is right but the category wrong, only the shelf is believed."""
    paths = [CLASSES[1]] * 40
    assert thresholds([[0.6, 0.3, 0.1]] * 40, paths) == pytest.approx((0.9, NEVER))


@pytest.mark.parametrize(
    ("count", "path"),
    [(40, CLASSES[2]), (19, CLASSES[0]), (0, CLASSES[0])],
    ids=["all wrong", "too few to tell", "none"],
)
def test_no_threshold_where_none_can_be_believed(count, path):
    """A level that is wrong, or seen too rarely, is never shown without review."""
    assert thresholds([[0.9, 0.05, 0.05]] * count, [path] * count) == (NEVER, NEVER)


def test_ties_count_as_a_whole():
    """Products with the same confidence are above the threshold together or not at all."""
    paths = [CLASSES[0]] * 20 + [CLASSES[2]] * 20
    assert thresholds([[0.9, 0.05, 0.05]] * 40, paths) == (NEVER, NEVER)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(0.8, 0.1, 0.1), (0.1, 0.6, 0.3), (0.2, 0.2, 0.6), (0.4, 0.3, 0.3)]),
            st.sampled_from([*CLASSES, CLASSES[0], path_from_names(["C"])]),
            st.integers(1, 40),
        ),
        max_size=10,
    ),
    st.sampled_from([0.5, 0.8, 0.98]),
)
@settings(deadline=None)
def test_precision_is_reached_above_every_threshold(predictions, precision):
    """On the products it was chosen on, answers from a threshold up are as right as promised."""
    probabilities = [row for row, _, count in predictions for _ in range(count)]
    paths = [path for _, path, count in predictions for _ in range(count)]
    found = thresholds(probabilities, paths, precision)
    table = np.reshape(probabilities, (-1, len(CLASSES)))
    reached = [precision_above(found, table, paths, depth) for depth in range(TAXONOMY.depth)]
    assert min(reached) >= precision
