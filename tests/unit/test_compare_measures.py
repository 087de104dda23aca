"""The measures of the comparison, checked against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from aisle_benchmark.measures import (
    NEVER,
    checked_coverage,
    f1_by_class,
    paired_difference,
    quality,
    threshold_for,
)

TRUE = np.array([0, 0, 1, 1, 2, 2, 2, 3])
# In sixteenths, which sum to exactly one.
SIXTEENTHS = [
    [10, 2, 2, 2],
    [3, 8, 3, 2],
    [2, 12, 1, 1],
    [5, 6, 3, 2],
    [2, 1, 10, 3],
    [6, 5, 3, 2],
    [1, 1, 13, 1],
    [6, 5, 3, 2],
]
PROBABILITIES = np.array(SIXTEENTHS, np.float32) / 16


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
def test_f1_is_scikit_learns(average):
    """F1 averages equal scikit-learn's if every class occurs."""
    expected = f1_score(TRUE, PROBABILITIES.argmax(axis=1), average=average)
    assert quality(TRUE, PROBABILITIES)[f"{average}_f1"] == pytest.approx(expected)


def test_auc_and_log_loss_are_scikit_learns():
    """One-vs-rest AUC and log loss equal scikit-learn's."""
    measures = quality(TRUE, PROBABILITIES)
    expected = roc_auc_score(TRUE, PROBABILITIES, multi_class="ovr", average="macro")
    assert measures["auc"] == pytest.approx(expected)
    assert measures["log_loss"] == pytest.approx(log_loss(TRUE, PROBABILITIES), abs=1e-6)


def test_accuracy_and_top3_by_hand():
    """Five of eight are right; only the last has its class outside the first three."""
    measures = quality(TRUE, PROBABILITIES)
    assert measures["accuracy"] == pytest.approx(5 / 8)
    assert measures["top3"] == pytest.approx(7 / 8)


def test_impossible_class_has_a_finite_loss():
    """A probability of zero for the true class has a large but finite loss."""
    certain = np.array([[1, 0], [1, 0], [1, 0]], np.float32)
    measures = quality(np.array([0, 1, 0]), certain)
    assert measures["log_loss"] == pytest.approx(-np.log(1e-7) / 3)


def test_classes_that_do_not_occur_are_no_part_of_the_mean():
    """A class without products changes neither macro-F1 nor AUC."""
    wide = np.concatenate([PROBABILITIES, np.zeros((8, 3), np.float32)], axis=1)
    expected, measures = quality(TRUE, PROBABILITIES), quality(TRUE, wide)
    assert measures["macro_f1"] == pytest.approx(expected["macro_f1"])
    assert measures["auc"] == pytest.approx(expected["auc"])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1))
@settings(max_examples=50, deadline=None)
def test_weights_are_repetitions(rows):
    """A row of weight n counts as n rows, as the bootstrap assumes."""
    true, chosen, weights = (np.array(column) for column in zip(*rows, strict=True))
    repeated = f1_by_class(np.repeat(true, weights), np.repeat(chosen, weights), 4)
    assert f1_by_class(true, chosen, 4, weights) == pytest.approx(repeated)


def test_clear_gain_excludes_zero():
    """If one model is right on a third more of many groups, the interval is above zero."""
    true = np.arange(600) % 3
    theirs = np.where(np.arange(600) % 9 < 3, (true + 1) % 3, true)
    groups = [str(row // 2) for row in range(600)]
    differences = paired_difference(true, true, theirs, groups, resamples=200)
    for interval in differences.values():
        assert interval["low"] > 0
        assert interval["low"] < interval["difference"] < interval["high"]
    assert differences["accuracy"]["difference"] == pytest.approx(1 / 3, abs=0.01)


def test_few_groups_prove_little():
    """The same gain within few groups is uncertain: variants are drawn together."""
    true = np.zeros(600, np.int64)
    true[0] = 1
    theirs = np.where(np.arange(600) < 60, 1 - true, true)
    many = paired_difference(true, true, theirs, list(map(str, range(600))), resamples=200)
    few = paired_difference(
        true, true, theirs, [str(row // 60) for row in range(600)], resamples=200
    )
    assert many["accuracy"]["low"] > 0.05
    assert few["accuracy"]["low"] == 0


def test_equals_have_no_gain():
    """Equal choices differ by zero in every resample."""
    differences = paired_difference(TRUE, TRUE, TRUE, list("abcdefgh"), resamples=20)
    assert differences["macro_f1"] == {"difference": 0, "low": 0, "high": 0}


def test_threshold_by_hand():
    """The threshold is the lowest confidence from which the precision holds."""
    confidence = np.linspace(1, 0.01, 100).astype(np.float32)
    right = np.ones(100, bool)
    right[[50, 60]] = False
    # 98 % of the first 100 are right; of the first 60, 59 are: 98.3 %.
    assert threshold_for(confidence, right, 0.98) == pytest.approx(0.01)
    right[99] = False
    assert threshold_for(confidence, right, 0.985) == pytest.approx(confidence[49])


def test_no_threshold_is_believed_on_few_products():
    """Nineteen right answers are too few for a threshold."""
    assert threshold_for(np.ones(19, np.float32), np.ones(19, bool), 0.9) == NEVER


def test_threshold_is_checked_on_rows_it_never_saw():
    """Each fold is checked with the threshold of the others, so a miscalibrated fold is found."""
    confidence = np.tile(np.linspace(0.5, 1, 100).astype(np.float32), 2)
    folds = np.repeat([0, 1], 100)
    right = np.concatenate([np.arange(100) >= 50, np.zeros(100, bool)])
    coverage = checked_coverage(confidence, right, folds, 0.98)
    # The second fold, all wrong, gives no threshold; half of it passes the first fold's.
    assert coverage["coverage"] == pytest.approx(0.255, abs=0.01)
    assert coverage["precision"] == 0
