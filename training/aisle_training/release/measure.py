"""What a model answers on labelled products, product by product, so that two can be compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.model.classifier import Classifier
from aisle.taxonomy import Taxonomy
from aisle_training.data.prepare import Example

_CHUNK = 256
# A category that a model does not know is as good as impossible to it; zero has no logarithm.
_LEAST_CHANCE = 1e-4
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of products: ids of categories, and probabilities.

    `chances` are what it gives the right category, `confidences` what it gives its own answer; both
    float64 (products,).
    """

    true: tuple[str, ...]
    found: tuple[str, ...]
    chances: NDArray[np.float64]
    confidences: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are the right category: bool (products,)."""
        return np.array([a == b for a, b in zip(self.true, self.found, strict=True)], bool)

    @property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each product."""
        return -np.log(np.maximum(self.chances, _LEAST_CHANCE))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a challenger is than the champion (less is worse), with a 95 % interval."""

    challenger: float
    champion: float
    difference: float
    low: float
    high: float


def answers(classifier: Classifier, rows: Sequence[Example]) -> Answers:
    """Let a model answer for labelled products."""
    taxonomy = classifier.taxonomy
    nodes = _nodes(taxonomy)
    found: list[str] = []
    chances: list[float] = []
    confidences: list[float] = []
    for at in range(0, len(rows), _CHUNK):
        part = rows[at : at + _CHUNK]
        probabilities = classifier.predict_proba([row.product for row in part])
        rolled = taxonomy.roll_up(probabilities)
        labels = classifier.choose(probabilities)
        found += [taxonomy.classes[label][-1].id for label in labels]
        ends = taxonomy.ends[labels]
        confidences += rolled[np.arange(len(part)), ends].tolist()
        for row, scores in zip(part, rolled, strict=True):
            node = nodes.get(row.path[-1].id)
            chances.append(0.0 if node is None else float(scores[node]))
    true = tuple(row.path[-1].id for row in rows)
    return Answers(true, tuple(found), np.array(chances), np.array(confidences))


def compare(challenger: Answers, champion: Answers, *, resamples: int) -> dict[str, Difference]:
    """Compare two models on the same products; by the paired bootstrap (Efron 1979).

    The figures are accuracy, macro-F1 and log loss of the last category.
    """
    size = len(challenger.true)
    chance = np.random.default_rng(0)
    weights = [
        np.bincount(chance.integers(0, size, size), minlength=size).astype(float)
        for _ in range(resamples)
    ]
    labels = {own: at for at, own in enumerate(sorted(set(challenger.true)))}
    mine, theirs = _figures(challenger, labels), _figures(champion, labels)
    out = {}
    for name in mine:
        ours, other = mine[name], theirs[name]
        sign = -1 if name == "log_loss" else 1
        whole = np.ones(size)
        drawn = [sign * (ours(each) - other(each)) for each in weights] or [0.0]
        low, high = np.quantile(drawn, _INTERVAL)
        a, b = ours(whole), other(whole)
        out[name] = Difference(a, b, sign * (a - b), float(low), float(high))
    return out


def recalls(found: Answers) -> dict[str, tuple[int, float]]:
    """Return how many products each category has, and the share of them that is found."""
    right: dict[str, list[bool]] = {}
    for own, is_right in zip(found.true, found.right, strict=True):
        right.setdefault(own, []).append(bool(is_right))
    return {own: (len(each), sum(each) / len(each)) for own, each in right.items()}


Figure = Callable[[NDArray[np.float64]], float]
"""A figure over products that count with weights."""


def _figures(found: Answers, labels: Mapping[str, int]) -> dict[str, Figure]:
    right, losses = found.right.astype(float), found.losses
    true = np.array([labels[own] for own in found.true], np.int64)
    named = np.array([labels.get(own, len(labels)) for own in found.found], np.int64)

    def macro_f1(weights: NDArray[np.float64]) -> float:
        hits = np.bincount(true, weights * right, len(labels))
        asked = np.bincount(true, weights, len(labels))
        said = np.bincount(named, weights, len(labels) + 1)[:-1]
        there = asked > 0
        return float((2 * hits[there] / (asked[there] + said[there])).mean())

    return {
        "accuracy": lambda weights: float(np.average(right, weights=weights)),
        "macro_f1": macro_f1,
        "log_loss": lambda weights: float(np.average(losses, weights=weights)),
    }


def _nodes(taxonomy: Taxonomy) -> dict[str, int]:
    return {path[-1].id: number for number, path in enumerate(taxonomy.nodes)}
