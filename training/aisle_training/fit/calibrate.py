"""Calibrate confidences and choose answer thresholds, on held-out products."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from aisle.product import Category, Path
from aisle.taxonomy import Taxonomy

# The logarithms of the slots' weights are regularised towards their start by this times the squared
# distance, and stay within the range of it.
_PENALTY = 1e-3
_RANGE = 4.0
# Products x classes x slots used; more would not change the result.
_MOST_CELLS = 30_000_000
# Fewer products than this do not support a threshold.
_LEAST_SUPPORT = 20
NEVER = 2.0
"""A threshold above all confidences."""


def fit_level_weights(
    slot_margins: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    labels: NDArray[np.int64],
    prior: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the weight of each slot's margin that minimises the log loss of the classes.

    `slot_margins` maps rows of products to float32 (rows, classes, slots), 0 where a class has no
    SVM in a slot. `labels` int64 (products,) are the classes; products with -1 are left out. The
    weights start at `prior` (slots,) and are regularised towards it, so few products are enough.
    One weight for all slots would be temperature scaling (Guo et al. 2017).
    """
    rows = np.flatnonzero(labels >= 0)
    if not len(rows):
        return prior
    cells = slot_margins(rows[:1]).size
    rows = rows[:: max(1, len(rows) * cells // _MOST_CELLS)]
    margins, labels = slot_margins(rows), labels[rows]
    start = np.log(prior).astype(np.float64)

    def log_loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = np.exp(logs)
        log_probabilities = log_softmax(margins @ weights.astype(np.float32), axis=1)
        at = (np.arange(len(labels)), labels)
        errors = np.exp(log_probabilities)
        loss = -float(log_probabilities[at].mean())
        errors[at] -= 1
        gradient = np.einsum("nc,ncs->s", errors, margins) * weights / len(labels)
        distance = logs - start
        return loss + _PENALTY * float(distance @ distance), gradient + 2 * _PENALTY * distance

    bounds = [(low, low + 2 * _RANGE) for low in start - _RANGE]
    optimum = minimize(log_loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    # Rounded, so that the last bits of the optimum do not make another model.
    return np.exp(optimum).round(4).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Confidences:
    """Confidences at one level of the path, and whether the predictions are right.

    `confidences` float32 and `right` bool, both (products,).
    """

    confidences: NDArray[np.float32]
    right: NDArray[np.bool_]


def confidences(
    taxonomy: Taxonomy,
    probabilities: NDArray[np.float32],
    paths: Sequence[Path],
) -> list[Confidences]:
    """Return, for each level, the confidence in the predicted class's node at that level.

    `probabilities` are (products, classes), `paths` the true ones. A level leaves out products
    whose predicted class ends above it.
    """
    rolled = taxonomy.roll_up(probabilities)
    chosen = probabilities.argmax(axis=1)
    levels = []
    for depth in range(taxonomy.depth):
        nodes = taxonomy.ancestors[chosen, depth]
        rows = np.flatnonzero(nodes >= 0)
        right = [_is_at(taxonomy.nodes[nodes[row]][-1], paths[int(row)], depth) for row in rows]
        levels.append(Confidences(rolled[rows, nodes[rows]], np.array(right, np.bool_)))
    return levels


def answer_thresholds(
    parts: Sequence[Sequence[Confidences]], *, precision: float
) -> tuple[float, ...]:
    """Return, for each level, the smallest threshold at which answers reach a precision.

    `parts` are results of `confidences` for disjoint sets of held-out products. A level gets
    `NEVER` where no threshold reaches the precision.
    """
    thresholds = []
    for depth in range(max(map(len, parts), default=0)):
        levels = [part[depth] for part in parts if depth < len(part)]
        sure = np.concatenate([level.confidences for level in levels])
        right = np.concatenate([level.right for level in levels])
        thresholds.append(threshold_for(sure, right, precision))
    return tuple(thresholds)


def _is_at(node: Category, path: Path, depth: int) -> bool:
    return depth < len(path) and path[depth].id == node.id


def threshold_for(
    confidences: NDArray[np.float32], right: NDArray[np.bool_], precision: float
) -> float:
    """Return the smallest threshold at which answers reach a precision, `NEVER` if none does.

    `confidences` and `right` are both (products,).
    """
    if len(right) < _LEAST_SUPPORT:
        return NEVER
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    reached[: _LEAST_SUPPORT - 1] = False
    # Products with equal confidence are on the same side of a threshold.
    reached[:-1] &= ranked[1:] < ranked[:-1]
    if not reached.any():
        return NEVER
    last = int(np.flatnonzero(reached)[-1])
    return float(ranked[last])
