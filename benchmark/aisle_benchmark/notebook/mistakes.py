"""What a classifier got wrong: where prediction and label part, and which mistakes people see."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aisle.model.classifier import Classifier
from aisle.product import PATH_SEPARATOR, Path, Prediction
from aisle_training.data.prepare import Example


@dataclass(frozen=True, slots=True)
class Answered:
    """A labelled product, and what a classifier said of it."""

    example: Example
    prediction: Prediction

    @property
    def parting(self) -> int | None:
        """The first level (from 0) at which label and prediction name different categories.

        None where they agree, or one only goes on from where the other ends.
        """
        pairs = zip(self.example.path, self.prediction.category.path, strict=False)
        return next((at for at, (true, said) in enumerate(pairs) if true.id != said.id), None)

    @property
    def shown_wrong(self) -> bool:
        """Whether an answer was sure enough to be shown, and is not on the label's path."""
        answer = self.prediction.answer
        known = {node.id for node in self.example.path}
        return answer is not None and answer.category.id not in known


@dataclass(frozen=True, slots=True)
class Confusion:
    """Two sister categories that are taken for each other, so many times.

    `shown` counts the products whose wrong answer was sure enough to be shown.
    """

    parent: str
    pair: tuple[str, str]
    products: int
    shown: int


def answer(classifier: Classifier, examples: Sequence[Example]) -> list[Answered]:
    """Ask a classifier for each example, in order."""
    found = classifier.predict([one.product for one in examples], explain=False)
    return [Answered(one, said) for one, said in zip(examples, found, strict=True)]


def confusions(answered: Iterable[Answered]) -> list[Confusion]:
    """Return what is confused with what, whichever was right, the commonest first."""
    pairs: defaultdict[tuple[str, tuple[str, str]], list[Answered]] = defaultdict(list)
    for one in answered:
        at = one.parting
        if at is not None:
            true, said = one.example.path, one.prediction.category.path
            first, second = sorted((true[at].name, said[at].name))
            pairs[names(true[:at]), (first, second)].append(one)
    made = [
        Confusion(parent, pair, len(found), sum(one.shown_wrong for one in found))
        for (parent, pair), found in pairs.items()
    ]
    return sorted(made, key=lambda one: (-one.products, -one.shown, one.parent, one.pair))


def names(path: Path) -> str:
    """Return a path as people write it; the root is empty."""
    return PATH_SEPARATOR.join(node.name for node in path)
