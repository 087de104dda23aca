"""A model's answers for labelled products, one by one, so that two models can be compared."""

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
"""The label of all rare categories together."""
# Predict in chunks: all class probabilities of a million products would not fit in memory.
_CHUNK = 256
# A category that a model does not know has probability 0, which has no logarithm.
_MIN_PROBABILITY = 1e-4
_INTERVAL = (0.025, 0.975)


class Labelled(Protocol):
    """A labelled product."""

    @property
    def product(self) -> Product:
        """The product."""

    @property
    def path(self) -> Path:
        """Its label, root first."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's answers for labelled products; every field has one entry for each product.

    `true` and `predicted` are category ids. `labels` int64 are the class numbers of `predicted`,
    `highest` float32 the probabilities of these classes alone. `true_probabilities` and
    `confidences`, float64, are the rolled-up probabilities (of a category and all below it) of the
    true and the predicted category. `folded` are the predictions with rare categories folded into
    one, which is None, and `folded_confidences` float64 their probabilities.
    """

    true: tuple[str, ...]
    predicted: tuple[str, ...]
    true_probabilities: NDArray[np.float64]
    confidences: NDArray[np.float64]
    labels: NDArray[np.int64]
    highest: NDArray[np.float32]
    folded: tuple[str | None, ...]
    folded_confidences: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are the true category: bool (products,)."""
        pairs = zip(self.true, self.predicted, strict=True)
        return np.array([true == predicted for true, predicted in pairs], bool)

    @property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each product: float64 (products,)."""
        return -np.log(np.maximum(self.true_probabilities, _MIN_PROBABILITY))


class Folding:
    """Folds rare categories after prediction: sums their probabilities, then takes the best.

    A category is rare with fewer than `min_count` products in the model's snapshot.
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
        columns = [self._ids.index(category_id) for category_id in folded]
        self._member[np.arange(len(folded)), columns] = 1

    def true_key(self, row: LabelledProduct) -> str:
        """Return the folded key of a product's label: its id, or its name where it has none."""
        category_id, name = row.ids[-1], row.path[-1].name
        if category_id is None:
            return f"name {name}" if name in self._names else OTHER
        return f"id {category_id}" if category_id in self._kept else OTHER

    def predicted_key(self, row: LabelledProduct, category_id: str | None) -> str:
        """Return the key of a predicted category, of the same kind as the label's."""
        if category_id is None:
            return OTHER
        return f"name {self._kept[category_id]}" if row.ids[-1] is None else f"id {category_id}"

    def fold(self, probabilities: NDArray[np.float32]) -> Iterator[tuple[str | None, float]]:
        """Yield each product's best category, with None for all rare ones, and its probability."""
        folded = probabilities @ self._member
        for row, best in zip(folded, folded.argmax(axis=1), strict=True):
            yield self._ids[best], float(row[best])


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of both models; `difference` is negative where the challenger is worse.

    `low` and `high` are the bounds of its 95 % interval.
    """

    challenger: float
    champion: float
    difference: float
    low: float
    high: float


def answers(
    classifier: Classifier, rows: Sequence[Labelled], *, folding: Folding | None = None
) -> Answers:
    """Predict labelled products with a model; with `folding`, fold the answers as well."""
    taxonomy = classifier.taxonomy
    nodes = _nodes(taxonomy)
    labels: list[int] = []
    highest: list[float] = []
    true_probabilities: list[float] = []
    confidences: list[float] = []
    folded: list[tuple[str | None, float]] = []
    for start in track(range(0, len(rows), _CHUNK), "predicting"):
        chunk = rows[start : start + _CHUNK]
        probabilities = classifier.predict_proba([row.product for row in chunk])
        rolled_up = taxonomy.roll_up(probabilities)
        chosen = classifier.choose(probabilities)
        positions = np.arange(len(chunk))
        labels += chosen.tolist()
        highest += probabilities[positions, chosen].tolist()
        confidences += rolled_up[positions, taxonomy.ends[chosen]].tolist()
        for row, node_probabilities in zip(chunk, rolled_up, strict=True):
            node = nodes.get(row.path[-1].id)
            true_probabilities.append(0.0 if node is None else float(node_probabilities[node]))
        if folding is not None:
            folded += folding.fold(probabilities)
    return Answers(
        true=tuple(row.path[-1].id for row in rows),
        predicted=tuple(taxonomy.classes[label][-1].id for label in labels),
        true_probabilities=np.array(true_probabilities),
        confidences=np.array(confidences),
        labels=np.array(labels, np.int64),
        highest=np.array(highest, np.float32),
        folded=tuple(category_id for category_id, _ in folded),
        folded_confidences=np.array([confidence for _, confidence in folded]),
    )


def compare(challenger: Answers, champion: Answers, *, resamples: int) -> dict[str, Difference]:
    """Compare two models on the same products by the paired bootstrap (Efron 1979).

    The metrics are accuracy, macro-F1 and log loss of the last category.
    """
    size = len(challenger.true)
    rng = np.random.default_rng(0)
    # A resample is the number of times that each product is drawn.
    draws = [
        np.bincount(rng.integers(0, size, size), minlength=size).astype(float)
        for _ in range(resamples)
    ]
    labels = {label: number for number, label in enumerate(sorted(set(challenger.true)))}
    challenger_metrics, champion_metrics = _metrics(challenger, labels), _metrics(champion, labels)
    comparison = {}
    for name in challenger_metrics:
        mine, theirs = challenger_metrics[name], champion_metrics[name]
        sign = -1 if name == "log_loss" else 1
        differences = [sign * (mine(weights) - theirs(weights)) for weights in draws] or [0.0]
        low, high = np.quantile(differences, _INTERVAL)
        once = np.ones(size)
        new, old = mine(once), theirs(once)
        comparison[name] = Difference(new, old, sign * (new - old), float(low), float(high))
    return comparison


def recalls(answers: Answers) -> dict[str, tuple[int, float]]:
    """Return the number of products and the recall of each category."""
    right: dict[str, list[bool]] = {}
    for category_id, is_right in zip(answers.true, answers.right, strict=True):
        right.setdefault(category_id, []).append(bool(is_right))
    return {category_id: (len(hits), sum(hits) / len(hits)) for category_id, hits in right.items()}


Metric = Callable[[NDArray[np.float64]], float]
"""A metric as a function of the products' weights, float64 (products,)."""


def _metrics(answers: Answers, labels: Mapping[str, int]) -> dict[str, Metric]:
    right, losses = answers.right.astype(float), answers.losses
    true = np.array([labels[label] for label in answers.true], np.int64)
    other = len(labels)
    predicted = np.array([labels.get(label, other) for label in answers.predicted], np.int64)

    def macro_f1(weights: NDArray[np.float64]) -> float:
        true_positives = np.bincount(true, weights * right, len(labels))
        actual = np.bincount(true, weights, len(labels))
        claimed = np.bincount(predicted, weights, len(labels) + 1)[:other]
        drawn = actual > 0
        f1 = 2 * true_positives[drawn] / (actual[drawn] + claimed[drawn])
        return float(f1.mean())

    return {
        "accuracy": lambda weights: float(np.average(right, weights=weights)),
        "macro_f1": macro_f1,
        "log_loss": lambda weights: float(np.average(losses, weights=weights)),
    }


def _nodes(taxonomy: Taxonomy) -> dict[str, int]:
    return {path[-1].id: number for number, path in enumerate(taxonomy.nodes)}
