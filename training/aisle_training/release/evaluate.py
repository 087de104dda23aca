"""Stage 5, evaluate: score a bundle on labelled products, through the classifier that serves it."""

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

    The classifier sees only `fields` of the products. `levels` has metrics for each level of the
    path, over the products with a label at that level; `leaf` compares the last category; `folded`
    follows the published protocol: categories with fewer than `min_count` products in the model's
    snapshot count as "other". Categories compare by id, or by name where the label has no id. A
    predicted path that ends above a level is wrong there and adds no label; F1 averages over the
    labels that occur in the rows.

    `calibration_error` is the expected calibration error over equal-mass bins (Naeini et al. 2015)
    of the confidence in the predicted category, which is correct where the label is this category
    or below it.
    """
    visible = [replace(row, product=only(row.product, fields)) for row in rows]
    folding = Folding(classifier.taxonomy, min_count)
    answers = measure.answers(classifier, visible, folding=folding)
    return figures(classifier, answers, rows, folding=folding, fields=fields)


def figures(
    classifier: Classifier,
    answers: Answers,
    rows: Sequence[LabelledProduct],
    *,
    folding: Folding,
    fields: Sequence[str] = FIELDS,
) -> dict[str, Any]:
    """Return the metrics of `evaluate` for answers that were computed with this folding."""
    paths = [classifier.taxonomy.classes[label] for label in answers.labels]
    levels = max((len(row.path) for row in rows), default=0)
    within = [
        _node_key(row, last) == _predicted_key(row, path, last)
        for row, path in zip(rows, paths, strict=True)
        for last in [len(path) - 1]
    ]
    folded_true = [folding.true_key(row) for row in rows]
    folded_predicted = [
        folding.predicted_key(row, category_id)
        for row, category_id in zip(rows, answers.folded, strict=True)
    ]
    return {
        "rows": len(rows),
        "model_version": classifier.model_version,
        "fields": list(fields),
        "levels": [{"level": depth + 1, **_level(rows, paths, depth)} for depth in range(levels)],
        "leaf": _figures(
            [_node_key(row, len(row.path) - 1) for row in rows],
            [_last_key(row, path) for row, path in zip(rows, paths, strict=True)],
        ),
        "folded": {
            "min_count": folding.min_count,
            **_figures(folded_true, folded_predicted),
            "calibration_error": calibration_error(
                answers.folded_confidences,
                np.array([a == b for a, b in zip(folded_true, folded_predicted, strict=True)]),
            ),
        },
        "calibration_error": calibration_error(answers.confidences, np.array(within)),
    }


def calibration_error(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over equal-mass bins; 0 for no products.

    >>> round(float(calibration_error(np.array([0.8, 0.9]), np.array([True, False]))), 6)
    0.55
    """
    order = np.argsort(confidences, kind="stable")
    error = 0.0
    for rows in np.array_split(order, CALIBRATION_BINS):
        if len(rows):
            gap = abs(confidences[rows].mean() - right[rows].mean())
            error += gap * len(rows) / len(order)
    return error


def _level(rows: Sequence[LabelledProduct], paths: Sequence[Path], depth: int) -> dict[str, Any]:
    deep = [pair for pair in zip(rows, paths, strict=True) if len(pair[0].path) > depth]
    return _figures(
        [_node_key(row, depth) for row, _ in deep],
        [_predicted_key(row, path, depth) for row, path in deep],
    )


def _figures(true: Sequence[str | None], predicted: Sequence[str | None]) -> dict[str, Any]:
    """Return accuracy and averaged F1 over the labels that occur in `true`."""
    labels = sorted({label for label in true if label is not None})
    numbers = {label: number for number, label in enumerate(labels)}
    expected = [numbers[label] for label in true if label is not None]
    # -1 stands for a missing or unknown label; no metric asks for it.
    actual = [numbers.get(label, -1) if label is not None else -1 for label in predicted]
    scores = {
        f"{average}_f1": float(
            f1_score(
                expected, actual, labels=list(numbers.values()), average=average, zero_division=0
            )
        )
        if expected
        else 0.0
        for average in ("macro", "weighted")
    }
    right = sum(a == b for a, b in zip(expected, actual, strict=True))
    return {
        "rows": len(expected),
        "labels": len(labels),
        "accuracy": right / len(expected) if expected else 0.0,
        **scores,
    }


def _node_key(row: LabelledProduct, depth: int) -> str | None:
    """Return the key of a product's label at a depth from 0: its id, else its name."""
    if depth >= len(row.path):
        return None
    category_id = row.ids[depth]
    return f"id {category_id}" if category_id is not None else f"name {row.path[depth].name}"


def _predicted_key(row: LabelledProduct, path: Path, depth: int) -> str | None:
    """Return the key of a predicted path at a depth from 0, of the same kind as the label's."""
    if depth >= len(path):
        return None
    by_name = depth < len(row.ids) and row.ids[depth] is None
    return f"name {path[depth].name}" if by_name else f"id {path[depth].id}"


def _last_key(row: LabelledProduct, path: Path) -> str:
    by_name = row.ids[-1] is None
    return f"name {path[-1].name}" if by_name else f"id {path[-1].id}"
