"""The metrics of a table: quality, calibration, and paired differences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from aisle_training.fit.calibrate import NEVER, threshold_for
from aisle_training.release.evaluate import calibration_error

QUALITY = (
    "accuracy",
    "top3",
    "macro_f1",
    "weighted_f1",
    "micro_f1",
    "auc",
    "log_loss",
    "calibration_error",
)
_CERTAIN = 1e-7
"""The smallest probability in the log loss: a zero would make it infinite."""
_TOP = 3
RESAMPLES = 2000
_INTERVAL = (2.5, 97.5)


def quality(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, float]:
    """Return all metrics of probabilities (products, classes) against the true classes.

    F1 and AUC are averaged over the classes that occur in `true`; AUC is one-vs-rest.
    `calibration_error` is of the confidence in the best class, in 15 bins of equal mass.
    """
    chosen = probabilities.argmax(axis=1)
    right = chosen == true
    of_true = probabilities[np.arange(len(true)), true]
    top = (probabilities > of_true[:, None]).sum(axis=1) < _TOP
    f1 = f1_by_class(true, chosen, probabilities.shape[1])
    support = np.bincount(true, minlength=probabilities.shape[1])
    occurs = support > 0
    return {
        "accuracy": float(right.mean()),
        "top3": float(top.mean()),
        "macro_f1": float(f1[occurs].mean()),
        "weighted_f1": float(np.average(f1, weights=support)),
        "micro_f1": float(right.mean()),  # equal: each product has one class and gets one
        "auc": macro_auc(true, probabilities),
        "log_loss": float(-np.log(np.clip(of_true, _CERTAIN, 1)).mean()) + 0.0,  # no minus zero
        "calibration_error": float(
            calibration_error(probabilities.max(axis=1).astype(np.float64), right)
        ),
    }


def f1_by_class(
    true: NDArray[np.int64],
    chosen: NDArray[np.int64],
    classes: int,
    weights: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return the F1 of every class, weighted by row; 0 if a class neither occurs nor is chosen."""
    hits = np.bincount(true, (true == chosen) * (1 if weights is None else weights), classes)
    total = np.bincount(true, weights, classes) + np.bincount(chosen, weights, classes)
    return np.asarray(2 * hits / np.maximum(total, 1))


def macro_auc(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the mean one-vs-rest area under the ROC curve of the classes that occur."""
    areas = [
        roc_auc_score(true == label, probabilities[:, label])
        for label in np.unique(true)
        if not (true == label).all()
    ]
    return float(np.mean(areas)) if areas else float("nan")


def paired_difference(
    true: NDArray[np.int64],
    ours: NDArray[np.int64],
    theirs: NDArray[np.int64],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Any]]:
    """Return the gain of our choices in accuracy and macro-F1, with 95 % intervals.

    The intervals come from a paired bootstrap (Efron & Tibshirani 1993). It draws groups, not
    products, because variants of one product are right or wrong together.
    """
    classes = int(max(true.max(), ours.max(), theirs.max())) + 1
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    size = int(numbers.max()) + 1
    chance = np.random.default_rng(0)

    def gains(weights: NDArray[np.int64] | None) -> tuple[float, float]:
        gain = (ours == true).astype(np.int64) - (theirs == true)
        support = np.bincount(true, weights, classes)
        f1 = [f1_by_class(true, chosen, classes, weights) for chosen in (ours, theirs)]
        return (
            float(np.average(gain, weights=weights)),
            float((f1[0] - f1[1])[support > 0].mean()),
        )

    drawn = np.array(
        [
            gains(np.bincount(chance.integers(size, size=size), minlength=size)[numbers])
            for _ in range(resamples)
        ]
    )
    measured = gains(None)
    return {
        name: {
            "difference": measured[column],
            "low": float(np.percentile(drawn[:, column], _INTERVAL[0])),
            "high": float(np.percentile(drawn[:, column], _INTERVAL[1])),
        }
        for column, name in enumerate(("accuracy", "macro_f1"))
    }


def checked_coverage(
    confidences: NDArray[np.float32],
    right: NDArray[np.bool_],
    folds: NDArray[np.int64],
    precision: float,
) -> dict[str, float | None]:
    """Return coverage and precision at thresholds that are set for each fold on the others."""
    thresholds = np.full(len(right), NEVER)
    for fold in np.unique(folds):
        held_out = folds == fold
        thresholds[held_out] = threshold_for(confidences[~held_out], right[~held_out], precision)
    passed = confidences >= thresholds
    return {
        "asked": precision,
        "coverage": float(passed.mean()),
        "precision": float(right[passed].mean()) if passed.any() else None,
    }
