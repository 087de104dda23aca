"""The instrument of the research sections: a fast linear model, cross-validated in training.

It leaves out the training job's frozen test, so no choice made here has seen it.
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
"""The margin of a class without products in the other folds."""

Blocks = Callable[[Product], Sequence[str]]
"""A function from a product to texts, each of which becomes a block of features."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows outside the frozen test, by split, with the groups of `rows`.

    `folds` int64 covers all rows of the catalogue.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    folds: NDArray[np.int64]
    groups: tuple[str, ...]

    @property
    def rows(self) -> NDArray[np.int64]:
        """All rows except those of the frozen test, in order."""
        return np.sort(np.concatenate([self.train, self.validation]))


def part_of(catalogue: Catalogue) -> Part:
    """Return the rows outside the frozen test."""
    settings = parameters.load().prepare
    splits = [split_of(group_of(clean(row.product)), settings) for row in catalogue.rows]
    return Part(
        train=np.flatnonzero(np.array(splits) == "train"),
        validation=np.flatnonzero(np.array(splits) == "validation"),
        folds=np.array([int(group[-8:], 16) % FOLDS for group in catalogue.groups], np.int64),
        groups=tuple(
            group for group, split in zip(catalogue.groups, splits, strict=True) if split != "test"
        ),
    )


def features(
    blocks: Sequence[Sequence[str]], inside: NDArray[np.int64], outside: NDArray[np.int64]
) -> tuple[csr_matrix, csr_matrix]:
    """Return the TF-IDF of words, word pairs and character n-grams, fitted on the rows inside.

    Each block has the texts of all rows. A text that starts with a tab is a list of tokens, each
    after a tab, and only those tokens become features.
    """
    train: list[csr_matrix] = []
    test: list[csr_matrix] = []
    for texts in blocks:
        texts_inside = [texts[row] for row in inside]
        texts_outside = [texts[row] for row in outside]
        if not any(texts_inside):
            continue
        tokens = any(text.startswith("\t") for text in texts_inside)
        for vectorizer in _vectorizers(tokens=tokens):
            train.append(vectorizer.fit_transform(texts_inside))
            test.append(vectorizer.transform(texts_outside))
    return csr_matrix(hstack(train, format="csr")), csr_matrix(hstack(test, format="csr"))


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
    """Return a linear SVM, fitted with a loose tolerance for speed."""
    model = LinearSVC(C=_C, tol=_TOLERANCE, random_state=0)
    return model.fit(matrix, labels, sample_weight=weights)


def targets(labels: Sequence[str], counts: dict[str, int], minimum: int) -> NDArray[np.int64]:
    """Return class indices; labels of fewer than `minimum` products share the last one."""
    kept = sorted(label for label, count in counts.items() if count >= minimum)
    numbers = {label: number for number, label in enumerate(kept)}
    return np.array([numbers.get(label, len(kept)) for label in labels], np.int64)


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """The true and the chosen classes of products: int64 (products,) each."""

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
        occurs = np.bincount(self.true, minlength=classes) > 0
        return float(f1_by_class(self.true, self.chosen, classes)[occurs].mean())


def _gain(part: Part, ours: CrossValidated, theirs: CrossValidated) -> dict[str, float]:
    """Return the gain in accuracy of one set of answers over another, with its interval."""
    gains = paired_difference(
        ours.true, ours.chosen, theirs.chosen, part.groups, resamples=_RESAMPLES
    )
    accuracy: dict[str, float] = gains["accuracy"]
    return accuracy


def cross_validate(
    catalogue: Catalogue,
    part: Part,
    blocks: Blocks,
    *,
    folds: NDArray[np.int64] | None = None,
    more: Sequence[str] = (),
) -> list[CrossValidated]:
    """Return the cross-validated answers of each table with these features, over grouped folds.

    `folds` int64 (all rows) replaces the part's own; `more` are the texts of an additional block
    that does not depend on the product alone.
    """
    by_row = [blocks(row.product) for row in catalogue.rows]
    texts: list[Sequence[str]] = [*zip(*by_row, strict=True)]
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
        for choices, target in zip(chosen, all_targets, strict=True):
            if len(np.unique(target[inside])) > 1:
                choices[outside] = linear(train, target[inside]).predict(test)
            else:
                choices[outside] = target[inside][0]
    return [
        CrossValidated(target[rows], choices[rows])
        for target, choices in zip(all_targets, chosen, strict=True)
    ]


def out_of_fold(
    catalogue: Catalogue,
    rows: NDArray[np.int64],
    folds: NDArray[np.int64],
    labels: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float32]:
    """Return out-of-fold probabilities (rows, classes), each row's from a model of the other folds.

    `folds` covers all rows of the catalogue, `labels` has the class indices of `rows`; a class may
    not occur in them. The temperature is fitted on the same margins: a single number, which changes
    no decision.
    """
    texts = [[text_of(row.product) for row in catalogue.rows]]
    margins = np.full((len(rows), classes), _NEVER_SEEN, np.float32)
    for fold in range(FOLDS):
        outside = folds[rows] == fold
        train, test = features(texts, rows[~outside], rows[outside])
        model = linear(train, labels[~outside])
        margins[np.ix_(np.flatnonzero(outside), model.classes_)] = decisions(model, test)
    return np.asarray(softmax(temperature(margins, labels) * margins, axis=1), np.float32)


FIGURES = tuple(f"{metric} {minimum}" for minimum in MINIMA for metric in ("accuracy", "macro-F1"))
"""Columns of `figures`."""
COMPARED = (*FIGURES, *(f"accuracy gained {minimum} (95 %)" for minimum in MINIMA))
"""Columns of `compared`, after the name."""


def figures(answers: Sequence[CrossValidated]) -> list[float]:
    """Return accuracy and macro-F1 of each table."""
    return [value for table in answers for value in (table.accuracy, table.macro_f1)]


def gains_over_first(
    part: Part, ways: Mapping[str, Sequence[CrossValidated]]
) -> dict[str, list[dict[str, float]]]:
    """Return the gains of every way over the first one, for each table."""
    first, *others = ways
    return {
        name: [_gain(part, ours, base) for ours, base in zip(ways[name], ways[first], strict=True)]
        for name in others
    }


def compared(
    ways: Mapping[str, Sequence[CrossValidated]], gains: Mapping[str, Sequence[dict[str, float]]]
) -> tuple[tuple[Cell, ...], ...]:
    """Return a row for each way: its name, its figures, and its gains over the first."""
    return tuple(
        (name, *figures(answers), *map(interval, gains.get(name, ())))
        for name, answers in ways.items()
    )


def label_counts(catalogue: Catalogue) -> dict[str, int]:
    """Return the number of products of each label in the whole file, as the protocol counts."""
    counts: dict[str, int] = {}
    for label in catalogue.labels:
        counts[label] = counts.get(label, 0) + 1
    counts.pop(OTHER, None)
    return counts
