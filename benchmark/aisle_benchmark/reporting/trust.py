"""What the shipped model's confidence is worth: coverage at a precision, field by field."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle_benchmark.candidates.shipped import SITUATIONS
from aisle_benchmark.measures import checked_coverage, quality
from aisle_benchmark.protocol import Catalogue, Table
from aisle_benchmark.results import FoldResult

PRECISIONS = (0.90, 0.95, 0.98, 0.99)
_CURVE = 60
_BINS = 15


def by_level(catalogue: Catalogue, results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """Return, for each level of the path, what thresholds leave and whether they hold.

    Of the products that are labelled so deep, a level covers those whose chosen path reaches it
    with enough confidence. `bundle` uses the thresholds of each fold's bundle, which were set on
    its own training folds, cross-fitted; the others come from the other folds. Both meet products
    that they never saw.
    """
    depth = max(result.extras["level_confidence"].shape[1] for result in results)
    confidence = np.concatenate(
        [_padded(result.extras["level_confidence"], depth) for result in results]
    )
    right = np.concatenate([_padded(result.extras["level_right"], depth) for result in results]) > 0
    folds = np.repeat(np.arange(len(results)), [len(result.rows) for result in results])
    rows = np.concatenate([result.rows for result in results])
    labelled = np.array([len(catalogue.rows[row].path) for row in rows])
    levels = []
    for level in range(depth):
        here = labelled > level
        if not here.any():
            continue
        set_for = [result.extras["thresholds"] for result in results]
        own = np.array([each[level] if level < len(each) else 2.0 for each in set_for])
        passed = confidence[here, level] >= own[folds[here]]
        levels.append(
            {
                "level": level + 1,
                "products": int(here.sum()),
                "accuracy": float(right[here, level].mean()),
                "bundle": _passed(passed, right[here, level]),
                "at": [
                    _checked(confidence[here, level], right[here, level], folds[here], precision)
                    for precision in PRECISIONS
                ],
            }
        )
    return levels


def folded(
    table: Table, targets: NDArray[np.int64], results: Sequence[FoldResult]
) -> list[dict[str, float | None]]:
    """Return what thresholds on the best class of a table leave, each from the other folds."""
    probabilities = np.concatenate([result.probabilities for result in results])
    folds = np.repeat(np.arange(len(results)), [len(result.rows) for result in results])
    true = targets[np.concatenate([result.rows for result in results])]
    assert probabilities.shape[1] == len(table.classes)  # noqa: S101  # the same table
    right = probabilities.argmax(axis=1) == true
    return [_checked(probabilities.max(axis=1), right, folds, each) for each in PRECISIONS]


def situations(targets: NDArray[np.int64], results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """Return the figures of the model that knows all fields when only some are given.

    Only products that have the fields that a situation gives are scored in it.
    """
    rows = np.concatenate([result.rows for result in results])
    made = []
    for number, name in enumerate(SITUATIONS):
        probabilities = np.concatenate([result.extras[f"situation_{number}"] for result in results])
        given = probabilities.sum(axis=1) > 0
        figures = quality(targets[rows[given]], probabilities[given]) if given.any() else {}
        made.append({"situation": name, "products": int(given.sum()), **figures})
    return made


def curve(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> list[list[float]]:
    """Return points of the threshold curve: coverage and the precision of what is covered."""
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == true)[np.argsort(-confidence, kind="stable")]
    counts = np.unique(np.linspace(1, len(right), _CURVE).astype(int))
    precision = np.cumsum(right)[counts - 1] / counts
    return [
        [float(count) / len(right), float(share)]
        for count, share in zip(counts, precision, strict=True)
    ]


def reliability(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> list[list[float]]:
    """Return confidence and share of right answers in bins of equal mass."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == true
    bins = np.array_split(np.argsort(confidence, kind="stable"), _BINS)
    return [
        [float(confidence[rows].mean()), float(right[rows].mean())] for rows in bins if len(rows)
    ]


def _checked(
    confidence: NDArray[np.float32],
    right: NDArray[np.bool_],
    folds: NDArray[np.int64],
    precision: float,
) -> dict[str, float | None]:
    if len(np.unique(folds)) > 1:
        return checked_coverage(confidence, right, folds, precision)
    # One fold alone: halves of it take the place of folds.
    return checked_coverage(confidence, right, np.arange(len(right)) % 2, precision)


def _passed(passed: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, float | None]:
    return {
        "coverage": float(passed.mean()),
        "precision": float(right[passed].mean()) if passed.any() else None,
    }


def _padded(levels: NDArray[Any], depth: int) -> NDArray[np.float32]:
    out = np.full((len(levels), depth), -1, np.float32)
    out[:, : levels.shape[1]] = levels
    return out
