"""Stage 5, evaluate: how good a bundle is on labelled products, through what serves it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from aisle.catalogue.products import LabelledProduct
from aisle.model.classifier import Classifier
from aisle.product import FIELDS, Path, only
from aisle_training.release import measure
from aisle_training.release.measure import Answers, Folding

CALIBRATION_BINS = 15


def evaluate(
    classifier: Classifier,
    rows: Sequence[LabelledProduct],
    *,
    fields: Sequence[str] = FIELDS,
    min_count: int = 100,
) -> dict[str, Any]:
    """Score a classifier on labelled products; return plain data.

    Only `fields` of the products are given to it. `levels` has, for each level of the path, the
    products labelled that deep; `leaf` compares the last category; `folded` the published protocol:
    categories with fewer than `min_count` products in the model's snapshot count as "other".
    Categories compare by id, by name where the label has no id. A predicted path that ends earlier
    is wrong and adds no label; F1 is over the labels that occur in the rows.

    `calibration_error` is the expected calibration error over bins of equal mass (Naeini et al.
    2015) of the confidence in the predicted category, right where the product is in it or below.
    """
    asked = [replace(row, product=only(row.product, fields)) for row in rows]
    folding = Folding(classifier.taxonomy, min_count)
    found = measure.answers(classifier, asked, folding=folding)
    return figures(classifier, found, rows, folding=folding, fields=fields)


def figures(
    classifier: Classifier,
    found: Answers,
    rows: Sequence[LabelledProduct],
    *,
    folding: Folding,
    fields: Sequence[str] = FIELDS,
) -> dict[str, Any]:
    """Return what `evaluate` does, of answers that were given before, with the same folding."""
    paths = [classifier.taxonomy.classes[label] for label in found.labels]
    depth = max((len(row.path) for row in rows), default=0)
    within = [
        _node_key(row, at) == _predicted_key(row, path, at)
        for row, path in zip(rows, paths, strict=True)
        for at in [len(path) - 1]
    ]
    folded_true = [folding.true_key(row) for row in rows]
    folded_labels = [
        folding.predicted_key(row, own) for row, own in zip(rows, found.folded, strict=True)
    ]
    return {
        "rows": len(rows),
        "model_version": classifier.model_version,
        "fields": list(fields),
        "levels": [{"level": at + 1, **_level(rows, paths, at)} for at in range(depth)],
        "leaf": _figures(
            [_node_key(row, len(row.path) - 1) for row in rows],
            [_last_key(row, path) for row, path in zip(rows, paths, strict=True)],
        ),
        "folded": {
            "min_count": folding.min_count,
            **_figures(folded_true, folded_labels),
            "calibration_error": calibration_error(
                found.folded_confidences,
                np.array([a == b for a, b in zip(folded_true, folded_labels, strict=True)]),
            ),
        },
        "calibration_error": calibration_error(found.confidences, np.array(within)),
    }


def calibration_error(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over bins of equal mass; 0 for no products.

    >>> round(float(calibration_error(np.array([0.8, 0.9]), np.array([True, False]))), 6)
    0.55
    """
    order = np.argsort(confidences, kind="stable")
    error = 0.0
    for part in np.array_split(order, CALIBRATION_BINS):
        if len(part):
            gap = abs(confidences[part].mean() - right[part].mean())
            error += gap * len(part) / len(order)
    return error


def _level(rows: Sequence[LabelledProduct], paths: Sequence[Path], at: int) -> dict[str, Any]:
    deep = [pair for pair in zip(rows, paths, strict=True) if len(pair[0].path) > at]
    return _figures(
        [_node_key(row, at) for row, _ in deep],
        [_predicted_key(row, path, at) for row, path in deep],
    )


def _figures(true: Sequence[str | None], predicted: Sequence[str | None]) -> dict[str, Any]:
    """Return accuracy and F1 over the labels that occur in `true`."""
    labels = sorted({label for label in true if label is not None})
    numbers = {label: number for number, label in enumerate(labels)}
    expected = [numbers[label] for label in true if label is not None]
    # A missing or unknown label is a number that is never asked about.
    found = [numbers.get(label, -1) if label is not None else -1 for label in predicted]
    scores = {
        f"{average}_f1": float(
            f1_score(
                expected, found, labels=list(numbers.values()), average=average, zero_division=0
            )
        )
        if expected
        else 0.0
        for average in ("macro", "weighted")
    }
    right = sum(a == b for a, b in zip(expected, found, strict=True))
    return {
        "rows": len(expected),
        "labels": len(labels),
        "accuracy": right / len(expected) if expected else 0.0,
        **scores,
    }


def _node_key(row: LabelledProduct, at: int) -> str | None:
    """Return how a product's label compares at a level: by id, by name where there is none."""
    if at >= len(row.path):
        return None
    own = row.ids[at]
    return f"id {own}" if own is not None else f"name {row.path[at].name}"


def _predicted_key(row: LabelledProduct, path: Path, at: int) -> str | None:
    """Return the key of a predicted path at a level, of the kind that the label has there."""
    if at >= len(path):
        return None
    by_name = at < len(row.ids) and row.ids[at] is None
    return f"name {path[at].name}" if by_name else f"id {path[at].id}"


def _last_key(row: LabelledProduct, path: Path) -> str:
    by_name = row.ids[-1] is None
    return f"name {path[-1].name}" if by_name else f"id {path[-1].id}"
