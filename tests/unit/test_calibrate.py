"""Calibrated confidences, and the thresholds above which an answer needs no review."""

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
TRUE_WEIGHTS = np.array([0.2, 0.5], np.float32)


@pytest.fixture(scope="module")
def overconfident():
    """Give margins (products, classes, slots) too large for the labels, and the labels."""
    random = np.random.default_rng(1)
    logits = random.normal(size=(2000, 4, 2)).astype(np.float32)
    probabilities = softmax(logits.sum(axis=2), axis=1)
    labels = np.array([random.choice(4, p=row) for row in probabilities])
    return logits / TRUE_WEIGHTS, labels


def log_loss(margins, labels, weights):
    """Return the mean log loss of the labels."""
    return -log_softmax(margins @ weights, axis=1)[np.arange(len(labels)), labels].mean()


def test_weights_lower_the_log_loss(overconfident):
    """Weights fitted to overconfident margins are near the true ones and lower the log loss."""
    margins, labels = overconfident
    weights = fit_level_weights(lambda rows: margins[rows], labels, PRIOR)
    assert weights == pytest.approx(TRUE_WEIGHTS, rel=0.1)
    assert log_loss(margins, labels, weights) < 0.9 * log_loss(margins, labels, PRIOR)


@pytest.mark.parametrize("factors", [(1.1, 1), (0.9, 1), (1, 1.1), (1, 0.9)])
def test_weights_are_regularized_towards_the_prior(factors):
    """Weights minimise the log loss plus 0.001 times the squared length of ln(weights / prior).

    With these few products, all of them right, the log loss alone would have no minimum.
    """
    margins = np.random.default_rng(3).normal(size=(12, 4, 2)).astype(np.float32)
    labels = margins.sum(axis=2).argmax(axis=1)
    weights = fit_level_weights(lambda rows: margins[rows], labels, PRIOR)

    def objective(values):
        distance = np.log(values / PRIOR)
        return log_loss(margins, labels, values) + 0.001 * distance @ distance

    assert objective(weights) < objective(weights * factors)


def test_a_slot_of_noise_gets_a_small_weight(overconfident):
    """A slot of random margins gets a small weight, a calibrated slot a weight of about 1."""
    margins, labels = overconfident
    random = np.random.default_rng(2)
    mixed = np.stack([random.normal(size=(2000, 4)), margins @ TRUE_WEIGHTS], axis=2)
    noise, signal = fit_level_weights(lambda rows: mixed[rows].astype(np.float32), labels, PRIOR)
    assert noise < 0.1
    assert signal == pytest.approx(1, abs=0.1)


def test_products_of_unknown_classes_are_left_out(overconfident):
    """Products with an unknown class do not change the weights."""
    margins, labels = overconfident
    padded = np.concatenate([100 * margins[:50], margins])
    padded_labels = np.concatenate([np.full(50, -1), labels])
    expected = fit_level_weights(lambda rows: margins[rows], labels, PRIOR)
    weights = fit_level_weights(lambda rows: padded[rows], padded_labels, PRIOR)
    assert weights.tolist() == expected.tolist()


@pytest.mark.parametrize("count", [0, 5])
def test_without_a_known_class_the_prior_stays(count):
    """Where no product has a known class, the weights are the prior."""
    margins = np.ones((count, 4, 2), np.float32)
    weights = fit_level_weights(lambda rows: margins[rows], np.full(count, -1), PRIOR)
    assert weights.tolist() == PRIOR.tolist()


def thresholds(probabilities, paths, precision=0.9):
    """Return the thresholds for predictions in this file's taxonomy."""
    probabilities = np.array(probabilities, np.float32).reshape(len(paths), len(CLASSES))
    # In two parts, as in cross-fitting, where each fold has a model of its own.
    parts = [
        confidences(TAXONOMY, probabilities[rows], paths[rows])
        for rows in (slice(None, None, 2), slice(1, None, 2))
    ]
    return answer_thresholds(parts, precision=precision)


def precision_above(threshold, probabilities, paths, depth):
    """Return the share of right answers at or above a threshold, 1 without answers."""
    probabilities = np.array(probabilities, np.float32)
    rolled = TAXONOMY.roll_up(probabilities)
    right = [
        CLASSES[best][: depth + 1] == path[: depth + 1]
        for row, (best, path) in enumerate(zip(probabilities.argmax(axis=1), paths, strict=True))
        if len(CLASSES[best]) > depth and rolled[row, TAXONOMY.ancestors[best, depth]] >= threshold
    ]
    return sum(right) / len(right) if right else 1


def test_threshold_is_the_least_that_reaches_the_precision():
    """The threshold is the smallest one at which the answers reach the precision."""
    sure, unsure = [[0.9, 0.05, 0.05]] * 30, [[0.5, 0.3, 0.2]] * 30
    paths = [CLASSES[0]] * 30 + [CLASSES[2]] * 30
    assert thresholds(sure + unsure, paths) == pytest.approx((0.95, 0.9))
    assert thresholds(sure + unsure, paths, precision=0.5) == pytest.approx((0.8, 0.5))


def test_levels_have_their_own_thresholds():
    """Where only the first level is right, only the first level has a threshold."""
    paths = [CLASSES[1]] * 40
    assert thresholds([[0.6, 0.3, 0.1]] * 40, paths) == pytest.approx((0.9, NEVER))


def test_twenty_products_support_a_threshold():
    """20 right predictions are enough for a threshold."""
    paths = [CLASSES[0]] * 20
    assert thresholds([[0.9, 0.05, 0.05]] * 20, paths) == pytest.approx((0.95, 0.9))


@pytest.mark.parametrize(
    ("count", "path"),
    [(40, CLASSES[2]), (19, CLASSES[0]), (0, CLASSES[0])],
    ids=["all wrong", "too few", "none"],
)
def test_no_threshold_without_support(count, path):
    """A level that is wrong, or has too few products, is never shown without review."""
    assert thresholds([[0.9, 0.05, 0.05]] * count, [path] * count) == (NEVER, NEVER)


def test_ties_are_not_split():
    """Products with equal confidence are on the same side of a threshold.

    The first 40 of these 50 are right, which alone would reach the precision.
    """
    paths = [CLASSES[0]] * 20 + [CLASSES[2]] * 5
    tied = [path for path in paths for _ in range(2)]
    assert thresholds([[0.9, 0.05, 0.05]] * 50, tied) == (NEVER, NEVER)


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
    """On the products used to choose a threshold, answers at or above it reach the precision."""
    probabilities = [row for row, _, count in predictions for _ in range(count)]
    paths = [path for _, path, count in predictions for _ in range(count)]
    table = np.reshape(probabilities, (-1, len(CLASSES)))
    reached = [
        precision_above(threshold, table, paths, depth)
        for depth, threshold in enumerate(thresholds(probabilities, paths, precision))
    ]
    assert len(reached) == TAXONOMY.depth
    assert min(reached) >= precision
