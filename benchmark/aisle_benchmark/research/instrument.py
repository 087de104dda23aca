"""The instrument of the research sections: a quick linear model, cross-validated in training.

The frozen test of the training job is left out: what is decided here never saw it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from aisle.product import Product
from aisle_benchmark.candidates.features import text_of
from aisle_benchmark.candidates.linear import decisions, temperature
from aisle_benchmark.finding import Cell, interval
from aisle_benchmark.measures import f1_by_class, paired_difference
from aisle_benchmark.protocol import MINIMA, Catalogue
from aisle_training import parameters
from aisle_training.data.prepare import clean, group_of, split_of
from aisle_training.release.measure import OTHER

FOLDS = 3
_C = 0.5
_TOLERANCE = 1e-2
_RESAMPLES = 500
_NEVER_SEEN = -2
"""The margin of a class that the other folds have no product of."""

Blocks = Callable[[Product], Sequence[str]]
"""A product to the texts that each get a block of features of their own."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows that may be looked at, by split, with the groups of `rows`.

    `folds` int64 are of all rows of the catalogue.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    folds: NDArray[np.int64]
    groups: tuple[str, ...]

    @property
    def rows(self) -> NDArray[np.int64]:
        """All rows but the frozen test's, in order."""
        return np.sort(np.concatenate([self.train, self.validation]))


def part_of(catalogue: Catalogue) -> Part:
    """Return the rows outside the frozen test."""
    settings = parameters.load().prepare
    splits = [split_of(group_of(clean(row.product)), settings) for row in catalogue.rows]
    return Part(
        train=np.array([at for at, one in enumerate(splits) if one == "train"], np.int64),
        validation=np.array([at for at, one in enumerate(splits) if one == "validation"], np.int64),
        folds=np.array([int(group[-8:], 16) % FOLDS for group in catalogue.groups], np.int64),
        groups=tuple(
            group for group, one in zip(catalogue.groups, splits, strict=True) if one != "test"
        ),
    )


def features(
    blocks: Sequence[Sequence[str]], inside: NDArray[np.int64], outside: NDArray[np.int64]
) -> tuple[csr_matrix, csr_matrix]:
    """Return TF-IDF of each block's texts, fitted on the rows inside: word pairs, characters.

    A block's texts are those of all rows; one that begins with a tab is words alone, tokens that
    tabs separate.
    """
    made: tuple[list[csr_matrix], list[csr_matrix]] = ([], [])
    for texts in blocks:
        mine = [texts[row] for row in inside]
        theirs = [texts[row] for row in outside]
        if not any(mine):
            continue
        for vectorizer in _vectorizers(tokens=any(text.startswith("\t") for text in mine)):
            made[0].append(vectorizer.fit_transform(mine))
            made[1].append(vectorizer.transform(theirs))
    return csr_matrix(hstack(made[0], format="csr")), csr_matrix(hstack(made[1], format="csr"))


def _vectorizers(*, tokens: bool) -> Iterator[TfidfVectorizer]:
    common = {"sublinear_tf": True, "min_df": 2, "dtype": np.float32, "lowercase": False}
    if tokens:
        yield TfidfVectorizer(analyzer=_split, **common)
    else:
        words = r"\S+"
        yield TfidfVectorizer(ngram_range=(1, 2), token_pattern=words, **common)
        yield TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **common)


def _split(text: str) -> list[str]:
    return [token for token in text.split("\t") if token]


def linear(
    matrix: csr_matrix, labels: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> LinearSVC:
    """Return a linear SVM fitted quickly."""
    return LinearSVC(C=_C, tol=_TOLERANCE).fit(matrix, labels, sample_weight=weights)


def targets(labels: Sequence[str], counts: dict[str, int], minimum: int) -> NDArray[np.int64]:
    """Return class numbers; labels of fewer than `minimum` products share the last one."""
    kept = sorted(label for label, count in counts.items() if count >= minimum)
    numbers = {label: at for at, label in enumerate(kept)}
    return np.array([numbers.get(label, len(kept)) for label in labels], np.int64)


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """The classes chosen for products, beside the true ones: int64 (products,)."""

    true: NDArray[np.int64]
    chosen: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float((self.true == self.chosen).mean())

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur."""
        classes = int(max(self.true.max(), self.chosen.max())) + 1
        there = np.bincount(self.true, minlength=classes) > 0
        return float(f1_by_class(self.true, self.chosen, classes)[there].mean())


def _gain(part: Part, ours: CrossValidated, theirs: CrossValidated) -> dict[str, float]:
    """Return the accuracy that one way to the same answers gains over another, and its interval."""
    found = paired_difference(
        ours.true, ours.chosen, theirs.chosen, part.groups, resamples=_RESAMPLES
    )
    accuracy: dict[str, float] = found["accuracy"]
    return accuracy


def cross_validate(
    catalogue: Catalogue,
    part: Part,
    blocks: Blocks,
    *,
    folds: NDArray[np.int64] | None = None,
    more: Sequence[str] = (),
) -> list[CrossValidated]:
    """Return the answers that features lead to, for each table, over grouped folds of the part.

    `folds` int64 (all rows) take the place of the part's own; `more` are the texts of a block that
    is not made of the product alone.
    """
    made = [blocks(row.product) for row in catalogue.rows]
    texts: list[Sequence[str]] = [*zip(*made, strict=True)]
    if more:
        texts.append(more)
    counts = label_counts(catalogue)
    folds = part.folds if folds is None else folds
    rows = part.rows
    all_targets = [targets(catalogue.labels, counts, minimum) for minimum in MINIMA]
    chosen = [np.zeros(len(catalogue.rows), np.int64) for _ in MINIMA]
    for fold in range(FOLDS):
        inside, outside = rows[folds[rows] != fold], rows[folds[rows] == fold]
        train, test = features(texts, inside, outside)
        for mine, target in zip(chosen, all_targets, strict=True):
            if len(np.unique(target[inside])) > 1:
                mine[outside] = linear(train, target[inside]).predict(test)
            else:
                mine[outside] = target[inside][0]
    return [
        CrossValidated(target[rows], mine[rows])
        for target, mine in zip(all_targets, chosen, strict=True)
    ]


def out_of_fold(
    catalogue: Catalogue,
    rows: NDArray[np.int64],
    folds: NDArray[np.int64],
    labels: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float32]:
    """Return probabilities (rows, classes), each row's by a model of the other folds.

    `folds` are of all rows of the catalogue, `labels` the class numbers of `rows`; a class may have
    none of these. The temperature is fitted on the same margins: a single number, which moves no
    decision of its own.
    """
    texts = [[text_of(row.product) for row in catalogue.rows]]
    margins = np.full((len(rows), classes), _NEVER_SEEN, np.float32)
    for fold in range(FOLDS):
        outside = folds[rows] == fold
        train, test = features(texts, rows[~outside], rows[outside])
        model = linear(train, labels[~outside])
        margins[np.ix_(np.flatnonzero(outside), model.classes_)] = decisions(model, test)
    return np.asarray(softmax(temperature(margins, labels) * margins, axis=1), np.float32)


FIGURES = tuple(f"{what} {minimum}" for minimum in MINIMA for what in ("accuracy", "macro-F1"))
"""Columns of `figures`."""
COMPARED = (*FIGURES, *(f"accuracy gained {minimum} (95 %)" for minimum in MINIMA))
"""Columns of `compared`, after the way's name."""


def figures(answers: Sequence[CrossValidated]) -> list[float]:
    """Return accuracy and macro-F1 of each table."""
    return [value for one in answers for value in (one.accuracy, one.macro_f1)]


def gains_over_first(
    part: Part, ways: Mapping[str, Sequence[CrossValidated]]
) -> dict[str, list[dict[str, float]]]:
    """Return what each way but the first gains over the first, for each table."""
    first, *others = ways
    return {
        name: [_gain(part, ours, base) for ours, base in zip(ways[name], ways[first], strict=True)]
        for name in others
    }


def compared(
    ways: Mapping[str, Sequence[CrossValidated]], gains: Mapping[str, Sequence[dict[str, float]]]
) -> tuple[tuple[Cell, ...], ...]:
    """Return a row for each way: its name, its figures, and what it gains over the first."""
    return tuple(
        (name, *figures(answers), *map(interval, gains.get(name, ())))
        for name, answers in ways.items()
    )


def label_counts(catalogue: Catalogue) -> dict[str, int]:
    """Return how many products each label has in the whole file, as the protocol counts."""
    counts: dict[str, int] = {}
    for label in catalogue.labels:
        counts[label] = counts.get(label, 0) + 1
    counts.pop(OTHER, None)
    return counts
