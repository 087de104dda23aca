"""A classifier's mistakes: where prediction and label diverge, and which mistakes are shown."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aisle.model.classifier import Classifier
from aisle.product import PATH_SEPARATOR, Path, Prediction
from aisle_training.data.prepare import Example


@dataclass(frozen=True, slots=True)
class Answered:
    """A labelled product and a classifier's prediction."""

    example: Example
    prediction: Prediction

    @property
    def parting(self) -> int | None:
        """The first level (from 0) at which label and prediction differ.

        None if they agree, or if one is a prefix of the other.
        """
        pairs = zip(self.example.path, self.prediction.category.path, strict=False)
        differing = (
            level for level, (true, predicted) in enumerate(pairs) if true.id != predicted.id
        )
        return next(differing, None)

    @property
    def shown_wrong(self) -> bool:
        """Whether an answer was confident enough to be shown, but is not on the label's path."""
        answer = self.prediction.answer
        true_ids = {node.id for node in self.example.path}
        return answer is not None and answer.category.id not in true_ids


@dataclass(frozen=True, slots=True)
class Confusion:
    """Two sibling categories that the classifier confuses, and for how many products.

    `shown` counts the products whose wrong answer was confident enough to be shown.
    """

    parent: str
    pair: tuple[str, str]
    products: int
    shown: int


def answer(classifier: Classifier, examples: Sequence[Example]) -> list[Answered]:
    """Predict each example, in order."""
    predictions = classifier.predict([example.product for example in examples], explain=False)
    return [
        Answered(example, prediction)
        for example, prediction in zip(examples, predictions, strict=True)
    ]


def confusions(answered: Iterable[Answered]) -> list[Confusion]:
    """Return the pairs of confused categories in either direction, most frequent first."""
    pairs: defaultdict[tuple[str, tuple[str, str]], list[Answered]] = defaultdict(list)
    for item in answered:
        level = item.parting
        if level is not None:
            true, predicted = item.example.path, item.prediction.category.path
            first, second = sorted((true[level].name, predicted[level].name))
            pairs[names(true[:level]), (first, second)].append(item)
    counted = [
        Confusion(parent, pair, len(items), sum(item.shown_wrong for item in items))
        for (parent, pair), items in pairs.items()
    ]
    return sorted(counted, key=lambda item: (-item.products, -item.shown, item.parent, item.pair))


def names(path: Path) -> str:
    """Return the names of a path, joined; empty for the root."""
    return PATH_SEPARATOR.join(node.name for node in path)
