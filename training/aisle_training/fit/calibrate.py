"""Make confidences mean what they say, on products that the scorers have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from aisle.product import Category, Path
from aisle.taxonomy import Taxonomy

# The weights of slots are held near where they start, by this times the squared distance of their
# logarithms, which may move by no more than the range.
_HOLD = 1e-3
_RANGE = 4.0
# Products x classes x slots looked at; more tell the same.
_MOST_CELLS = 30_000_000
# A threshold is not believed on fewer products than this.
_LEAST_SUPPORT = 20
NEVER = 2.0
"""A threshold that no confidence reaches."""


def fit_level_weights(
    slot_margins: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    labels: NDArray[np.int64],
    prior: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the weight of each slot's margin that minimises the log loss of the classes.

    `slot_margins` gives, for rows of products, float32 (rows, classes, slots), 0 where a class has
    no scorer in a slot; `labels` int64 (products,), -1 where the class is unknown: such products
    are left out. Few numbers are learnt, so few products will do; they start at `prior` (slots,)
    and are held near it. One weight for all slots would be temperature scaling (Guo et al. 2017).
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
        return loss + _HOLD * float(distance @ distance), gradient + 2 * _HOLD * distance

    bounds = [(low, low + 2 * _RANGE) for low in start - _RANGE]
    found = minimize(log_loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    # Rounded, so that the last bits of the optimum make no other model.
    return np.exp(found.x).round(4).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Confidences:
    """How sure a model was at one level of the path, and whether it was right.

    `confidences` float32 and `right` bool, both (products,).
    """

    confidences: NDArray[np.float32]
    right: NDArray[np.bool_]


def confidences(
    taxonomy: Taxonomy,
    probabilities: NDArray[np.float32],
    paths: Sequence[Path],
) -> list[Confidences]:
    """Return, for each level, the confidence in the most probable class's node there.

    `probabilities` (products, classes), and the true `paths`; products whose class ends above a
    level are not in it.
    """
    rolled = taxonomy.roll_up(probabilities)
    chosen = probabilities.argmax(axis=1)
    found = []
    for depth in range(taxonomy.depth):
        nodes = taxonomy.ancestors[chosen, depth]
        rows = np.flatnonzero(nodes >= 0)
        right = [_is_at(taxonomy.nodes[nodes[row]][-1], paths[int(row)], depth) for row in rows]
        found.append(Confidences(rolled[rows, nodes[rows]], np.array(right, np.bool_)))
    return found


def answer_thresholds(
    parts: Sequence[Sequence[Confidences]], *, precision: float
) -> tuple[float, ...]:
    """Return for each level the least confidence at which answers reach a precision.

    `parts` are what `confidences` returned for disjoint sets of products that the model had not
    seen. A level where no threshold reaches the precision gets `NEVER`.
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
    """Return the least confidence from which on so many are right, `NEVER` where there is none.

    `confidences` and `right` are both (products,).
    """
    if len(right) < _LEAST_SUPPORT:
        return NEVER
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    reached[: _LEAST_SUPPORT - 1] = False
    # Products with the same confidence are answered together or not at all.
    reached[:-1] &= ranked[1:] < ranked[:-1]
    if not reached.any():
        return NEVER
    last = int(np.flatnonzero(reached)[-1])
    return float(ranked[last])
