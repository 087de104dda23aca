"""Stage 5, evaluate: how good a bundle is on labelled products, through what serves it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from aisle.catalogue.products import LabelledProduct
from aisle.model.classifier import Classifier
from aisle.product import Path, Product
from aisle.progress import track

FIELDS = ("name", "description", "manufacturer", "price")
OTHER = "other"
CALIBRATION_BINS = 15
_CHUNK = 256


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
    products = [_only(row.product, fields) for row in rows]
    # Of a million products, the probabilities of all classes would not fit in memory: by chunks.
    chosen: list[int] = []
    confidences: list[float] = []
    folded_labels: list[str] = []
    folded_confidences: list[float] = []
    folding = _Folding(classifier, min_count)
    taxonomy = classifier.taxonomy
    for start in track(range(0, len(products), _CHUNK), "predicting"):
        probabilities = classifier.predict_proba(products[start : start + _CHUNK])
        labels = classifier.choose(probabilities)
        nodes = taxonomy.ends[labels]
        chosen += labels.tolist()
        confidences += taxonomy.roll_up(probabilities)[np.arange(len(nodes)), nodes].tolist()
        here = rows[start : start + _CHUNK]
        for row, (own, confidence) in zip(here, folding.fold(probabilities), strict=True):
            folded_labels.append(folding.predicted_key(row, own))
            folded_confidences.append(confidence)

    paths = [taxonomy.classes[label] for label in chosen]
    depth = max((len(row.path) for row in rows), default=0)
    within = [
        _node_key(row, at) == _predicted_key(row, path, at)
        for row, path in zip(rows, paths, strict=True)
        for at in [len(path) - 1]
    ]
    folded_true = [folding.true_key(row) for row in rows]
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
            "min_count": min_count,
            **_figures(folded_true, folded_labels),
            "calibration_error": calibration_error(
                np.array(folded_confidences),
                np.array([a == b for a, b in zip(folded_true, folded_labels, strict=True)]),
            ),
        },
        "calibration_error": calibration_error(np.array(confidences), np.array(within)),
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


class _Folding:
    """Rare categories folded late: the classes' probabilities summed, then the best one taken."""

    def __init__(self, classifier: Classifier, min_count: int) -> None:
        taxonomy = classifier.taxonomy
        self._kept = {
            entry.path[-1].id: entry.path[-1].name
            for entry in taxonomy.entries
            if entry.products >= min_count
        }
        self._names = frozenset(self._kept.values())
        folded = [path[-1].id if path[-1].id in self._kept else None for path in taxonomy.classes]
        self._ids = sorted(set(folded), key=str)
        self._member = np.zeros((len(folded), len(self._ids)), np.float32)
        self._member[np.arange(len(folded)), [self._ids.index(own) for own in folded]] = 1

    def true_key(self, row: LabelledProduct) -> str:
        """Return how a product's label compares when folded: by id, by name where it has none."""
        own, name = row.ids[-1], row.path[-1].name
        if own is None:
            return f"name {name}" if name in self._names else OTHER
        return f"id {own}" if own in self._kept else OTHER

    def predicted_key(self, row: LabelledProduct, own: str | None) -> str:
        """Return the key of a predicted category, of the kind that the label has."""
        if own is None:
            return OTHER
        return f"name {self._kept[own]}" if row.ids[-1] is None else f"id {own}"

    def fold(self, probabilities: NDArray[np.float32]) -> Iterator[tuple[str | None, float]]:
        """Yield each product's best category that is common enough, or None for the others."""
        folded = probabilities @ self._member
        for row, best in zip(folded, folded.argmax(axis=1), strict=True):
            yield self._ids[best], float(row[best])


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


def _only(product: Product, fields: Sequence[str]) -> Product:
    dropped = {field: None for field in FIELDS if field not in fields}
    return replace(product, **dropped)
