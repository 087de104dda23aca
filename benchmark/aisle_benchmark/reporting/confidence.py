"""Evaluation of confidences: coverage at a precision, reliability, and missing fields."""

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
_UNREACHABLE = 2.0
"""The threshold of a level that a bundle does not have: no confidence reaches it."""


def by_level(catalogue: Catalogue, results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """Return coverage and precision at thresholds, for each level of the path.

    A level covers those of the products labelled that deep whose chosen path reaches it with enough
    confidence. `bundle` uses the thresholds of each fold's bundle, cross-fitted on its training
    products; the others are set on the other folds. Both are scored on held-out products.
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
        deep = labelled > level
        if not deep.any():
            continue
        thresholds = np.array(
            [
                result.extras["thresholds"][level]
                if level < len(result.extras["thresholds"])
                else _UNREACHABLE
                for result in results
            ]
        )
        passed = confidence[deep, level] >= thresholds[folds[deep]]
        levels.append(
            {
                "level": level + 1,
                "products": int(deep.sum()),
                "accuracy": float(right[deep, level].mean()),
                "bundle": _passed(passed, right[deep, level]),
                "at": [
                    _checked(confidence[deep, level], right[deep, level], folds[deep], precision)
                    for precision in PRECISIONS
                ],
            }
        )
    return levels


def folded(
    table: Table, targets: NDArray[np.int64], results: Sequence[FoldResult]
) -> list[dict[str, float | None]]:
    """Return coverage and precision of a table's best class, with thresholds of the other folds."""
    probabilities = np.concatenate([result.probabilities for result in results])
    folds = np.repeat(np.arange(len(results)), [len(result.rows) for result in results])
    true = targets[np.concatenate([result.rows for result in results])]
    assert probabilities.shape[1] == len(table.classes)  # noqa: S101  # the same table
    right = probabilities.argmax(axis=1) == true
    return [
        _checked(probabilities.max(axis=1), right, folds, precision) for precision in PRECISIONS
    ]


def situations(targets: NDArray[np.int64], results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """Return the metrics of the model trained on all fields when products have only some of them.

    A situation scores only the products that have one of its fields.
    """
    rows = np.concatenate([result.rows for result in results])
    scored = []
    for number, name in enumerate(SITUATIONS):
        probabilities = np.concatenate([result.extras[f"situation_{number}"] for result in results])
        usable = probabilities.sum(axis=1) > 0
        figures = quality(targets[rows[usable]], probabilities[usable]) if usable.any() else {}
        scored.append({"situation": name, "products": int(usable.sum()), **figures})
    return scored


def curve(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> list[list[float]]:
    """Return points of the threshold curve: coverage, and precision of the covered products."""
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == true)[np.argsort(-confidence, kind="stable")]
    counts = np.unique(np.linspace(1, len(right), _CURVE).astype(int))
    precision = np.cumsum(right)[counts - 1] / counts
    return [
        [float(count) / len(right), float(share)]
        for count, share in zip(counts, precision, strict=True)
    ]


def reliability(true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> list[list[float]]:
    """Return mean confidence and share of right answers in bins of equal mass."""
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
    # With one fold only, its halves replace the folds.
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
