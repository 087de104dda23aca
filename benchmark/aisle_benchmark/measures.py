"""The measures of a table: how good, how sure, and by how much better."""

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
"""No probability counts as less: one class held impossible would be an infinite loss."""
_TOP = 3
RESAMPLES = 2000
_INTERVAL = (2.5, 97.5)


def quality(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, float]:
    """Return all measures of probabilities (products, classes) against the true classes.

    F1 and AUC are averaged over the classes that occur in `true`; AUC is one class against the
    rest. `calibration_error` is of the confidence in the best class, in 15 bins of equal mass.
    """
    chosen = probabilities.argmax(axis=1)
    right = chosen == true
    own = probabilities[np.arange(len(true)), true]
    top = (probabilities > own[:, None]).sum(axis=1) < _TOP
    f1 = f1_by_class(true, chosen, probabilities.shape[1])
    support = np.bincount(true, minlength=probabilities.shape[1])
    there = support > 0
    return {
        "accuracy": float(right.mean()),
        "top3": float(top.mean()),
        "macro_f1": float(f1[there].mean()),
        "weighted_f1": float(np.average(f1, weights=support)),
        "micro_f1": float(right.mean()),  # each product has one class and gets one: the same
        "auc": macro_auc(true, probabilities),
        "log_loss": float(-np.log(np.clip(own, _CERTAIN, 1)).mean()) + 0.0,  # no minus zero
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
    """Return the F1 of every class, 0 where it neither occurs nor is chosen; rows may weigh."""
    hits = np.bincount(true, (true == chosen) * (1 if weights is None else weights), classes)
    both = np.bincount(true, weights, classes) + np.bincount(chosen, weights, classes)
    return np.asarray(2 * hits / np.maximum(both, 1))


def macro_auc(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the mean area under the curve, each class that occurs against the rest."""
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
    """Return by how much our choices are better, in accuracy and macro-F1, with 95 % intervals.

    A bootstrap over the same rows (Efron & Tibshirani 1993): groups are drawn, not products,
    because variants of one product are right or wrong together.
    """
    classes = int(max(true.max(), ours.max(), theirs.max())) + 1
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    size = int(numbers.max()) + 1
    chance = np.random.default_rng(0)

    def both(weights: NDArray[np.int64] | None) -> tuple[float, float]:
        gain = (ours == true).astype(np.int64) - (theirs == true)
        support = np.bincount(true, weights, classes)
        f1 = [f1_by_class(true, chosen, classes, weights) for chosen in (ours, theirs)]
        return (
            float(np.average(gain, weights=weights)),
            float((f1[0] - f1[1])[support > 0].mean()),
        )

    drawn = np.array(
        [
            both(np.bincount(chance.integers(size, size=size), minlength=size)[numbers])
            for _ in range(resamples)
        ]
    )
    found = both(None)
    return {
        name: {
            "difference": found[at],
            "low": float(np.percentile(drawn[:, at], _INTERVAL[0])),
            "high": float(np.percentile(drawn[:, at], _INTERVAL[1])),
        }
        for at, name in enumerate(("accuracy", "macro_f1"))
    }


def checked_coverage(
    confidences: NDArray[np.float32],
    right: NDArray[np.bool_],
    folds: NDArray[np.int64],
    precision: float,
) -> dict[str, float | None]:
    """Return coverage and precision at thresholds that each fold got from the other folds."""
    thresholds = np.full(len(right), NEVER)
    for fold in np.unique(folds):
        mine = folds == fold
        thresholds[mine] = threshold_for(confidences[~mine], right[~mine], precision)
    passed = confidences >= thresholds
    return {
        "asked": precision,
        "coverage": float(passed.mean()),
        "precision": float(right[passed].mean()) if passed.any() else None,
    }
