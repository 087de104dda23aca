"""What a model answers on labelled products, product by product, so that two can be compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aisle.catalogue.products import LabelledProduct
from aisle.model.classifier import Classifier
from aisle.product import Path, Product
from aisle.progress import track
from aisle.taxonomy import Taxonomy

OTHER = "other"
"""What all categories together are called that are too rare for one of their own."""
# Of a million products, the probabilities of all classes would not fit in memory: by chunks.
_CHUNK = 256
# A category that a model does not know is as good as impossible to it; zero has no logarithm.
_LEAST_CHANCE = 1e-4
_INTERVAL = (0.025, 0.975)


class Labelled(Protocol):
    """A product and the path that it is labelled with."""

    @property
    def product(self) -> Product:
        """The product."""

    @property
    def path(self) -> Path:
        """Its label, root first."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of products: ids of categories, and probabilities.

    `labels` int64 are the numbers of the classes `found`, `highest` float32 their probabilities as
    classes. `chances` are what the right category gets, `confidences` what the answer gets, both
    with all below it, float64. `folded` are the answers where rare categories are folded, None for
    those together, with `folded_confidences` float64. Each has one entry a product.
    """

    true: tuple[str, ...]
    found: tuple[str, ...]
    chances: NDArray[np.float64]
    confidences: NDArray[np.float64]
    labels: NDArray[np.int64]
    highest: NDArray[np.float32]
    folded: tuple[str | None, ...]
    folded_confidences: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are the right category: bool (products,)."""
        return np.array([a == b for a, b in zip(self.true, self.found, strict=True)], bool)

    @property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each product."""
        return -np.log(np.maximum(self.chances, _LEAST_CHANCE))


class Folding:
    """Rare categories folded late: the classes' probabilities summed, then the best one taken.

    Rare is what has fewer than `min_count` products in the model's snapshot.
    """

    def __init__(self, taxonomy: Taxonomy, min_count: int = 100) -> None:
        self.min_count = min_count
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


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a challenger is than the champion (less is worse), with a 95 % interval."""

    challenger: float
    champion: float
    difference: float
    low: float
    high: float


def answers(
    classifier: Classifier, rows: Sequence[Labelled], *, folding: Folding | None = None
) -> Answers:
    """Let a model answer for labelled products, folded as well where it is said how."""
    taxonomy = classifier.taxonomy
    nodes = _nodes(taxonomy)
    labels: list[int] = []
    highest: list[float] = []
    chances: list[float] = []
    confidences: list[float] = []
    folded: list[tuple[str | None, float]] = []
    for at in track(range(0, len(rows), _CHUNK), "predicting"):
        part = rows[at : at + _CHUNK]
        probabilities = classifier.predict_proba([row.product for row in part])
        rolled = taxonomy.roll_up(probabilities)
        chosen = classifier.choose(probabilities)
        here = np.arange(len(part))
        labels += chosen.tolist()
        highest += probabilities[here, chosen].tolist()
        confidences += rolled[here, taxonomy.ends[chosen]].tolist()
        for row, scores in zip(part, rolled, strict=True):
            node = nodes.get(row.path[-1].id)
            chances.append(0.0 if node is None else float(scores[node]))
        if folding is not None:
            folded += folding.fold(probabilities)
    return Answers(
        true=tuple(row.path[-1].id for row in rows),
        found=tuple(taxonomy.classes[label][-1].id for label in labels),
        chances=np.array(chances),
        confidences=np.array(confidences),
        labels=np.array(labels, np.int64),
        highest=np.array(highest, np.float32),
        folded=tuple(own for own, _ in folded),
        folded_confidences=np.array([confidence for _, confidence in folded]),
    )


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
