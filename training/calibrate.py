"""Make confidences mean what they say, on products that the scorers have not seen."""

from collections.abc import Sequence

import numpy as np
from aisle.product import Path
from aisle.taxonomy import Taxonomy
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

# A threshold is not believed on fewer products than this.
_LEAST_SUPPORT = 20
NEVER = 2.0
"""A threshold that no confidence reaches."""


def fit_temperature(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature t that minimises the log loss of softmax(scores / t).

    `scores` (products, classes); `labels` int64 (products,), -1 where the class is unknown: such
    products are left out. Temperature scaling: Guo et al. 2017.
    """
    known = labels >= 0
    if not known.any():
        return 1.0
    scores, labels = scores[known].astype(np.float64), labels[known]

    def log_loss(log_temperature: float) -> float:
        scaled = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(log_loss, bounds=(np.log(0.01), np.log(10)), method="bounded")
    return float(np.exp(found.x))


def answer_thresholds(
    taxonomy: Taxonomy,
    probabilities: NDArray[np.float32],
    chosen: NDArray[np.int64],
    paths: Sequence[Path],
    *,
    precision: float,
) -> tuple[float, ...]:
    """Return for each level the least confidence at which answers reach a precision.

    `probabilities` (products, classes) with the classes `chosen` from them, and the true `paths`.
    A level where no threshold reaches the precision gets `NEVER`.
    """
    rolled = taxonomy.roll_up(probabilities)
    thresholds = []
    for depth in range(taxonomy.depth):
        nodes = taxonomy.ancestors[chosen, depth] if len(chosen) else np.empty(0, np.int64)
        rows = np.flatnonzero(nodes >= 0)
        right = [
            taxonomy.nodes[nodes[row]] == paths[row][: depth + 1] for row in rows
        ]
        thresholds.append(_threshold(rolled[rows, nodes[rows]], np.array(right), precision))
    return tuple(thresholds)


def _threshold(
    confidences: NDArray[np.float32], right: NDArray[np.bool_], precision: float
) -> float:
    if len(right) < _LEAST_SUPPORT:
        return NEVER
    order = np.argsort(-confidences, kind="stable")
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    reached[: _LEAST_SUPPORT - 1] = False
    if not reached.any():
        return NEVER
    last = int(np.flatnonzero(reached)[-1])
    return float(confidences[order[last]])
