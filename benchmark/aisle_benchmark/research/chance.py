"""How much a figure depends on its folds: the same model on other assignments to folds."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from aisle_benchmark.candidates.features import TextFeatures
from aisle_benchmark.finding import Finding, Section, signed
from aisle_benchmark.measures import f1_by_class
from aisle_benchmark.protocol import FOLDS, INPUTS, MINIMA, Catalogue, Table, make_table

_OTHERS = 5
_MEASURES = ("accuracy", "macro-F1")
_OWN = "the tables' own"


def answer(catalogue: Catalogue) -> Finding:
    """Cross-validate a linear SVM on the tables' folds and on other grouped ones.

    It uses all rows, as the tables do, because no choice depends on it.
    """
    minimum = max(MINIMA)
    tables = [
        table for inputs in INPUTS if (table := make_table(catalogue, minimum, inputs)) is not None
    ]
    figures = {
        name: [value for table in tables for value in _measure(catalogue, table, folds)]
        for name, folds in assignments(catalogue).items()
    }
    values = np.array([*figures.values()])
    others = values[1:]
    mean, deviation = others.mean(axis=0), others.std(axis=0, ddof=1)
    gains = " / ".join(
        signed(own - other) for own, other in zip(values[0, ::2], mean[::2], strict=True)
    )
    names = " / ".join(table.inputs for table in tables)
    return Finding(
        columns=(
            "assignment to folds",
            *(f"{measure}, {table.inputs}" for table in tables for measure in _MEASURES),
        ),
        rows=(
            *((name, *row.tolist()) for name, row in zip(figures, values, strict=True)),
            ("mean of the others", *mean.tolist()),
            ("their standard deviation", *deviation.tolist()),
        ),
        sentence=(
            f"The accuracy of the same linear SVM (C = 1, classes of {minimum} products) on the "
            f"tables' own folds differs by {gains} from its mean over {_OTHERS} other assignments "
            f"of the same groups ({names}). A gain of one model over another on the same rows is "
            "more reliable than either figure."
        ),
    )


def assignments(catalogue: Catalogue) -> dict[str, NDArray[np.int64]]:
    """Return assignments of all rows to folds, int64 (rows,): the tables' own, then others."""
    folds = {_OWN: catalogue.folds}
    for number in range(1, _OTHERS + 1):
        digests = [
            hashlib.sha256(f"{number}{group}".encode()).digest() for group in catalogue.groups
        ]
        folds[f"other {number}"] = np.array(
            [int.from_bytes(digest[:4], "big") % FOLDS for digest in digests], np.int64
        )
    return folds


def _measure(catalogue: Catalogue, table: Table, folds: NDArray[np.int64]) -> tuple[float, float]:
    """Return accuracy and macro-F1 of the pooled out-of-fold answers."""
    targets = table.targets(catalogue.labels)
    chosen = np.zeros_like(targets)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(np.unique(targets[inside])) == 1:
            chosen[outside] = targets[inside][0]
            continue
        features = TextFeatures()
        matrix = features.fit_transform(catalogue.products(inside, table.inputs))
        model = LinearSVC(C=1.0, tol=1e-2, random_state=0).fit(matrix, targets[inside])
        chosen[outside] = model.predict(
            features.transform(catalogue.products(outside, table.inputs))
        )
    occurs = np.bincount(targets, minlength=len(table.classes)) > 0
    macro_f1 = f1_by_class(targets, chosen, len(table.classes))[occurs].mean()
    return float((targets == chosen).mean()), float(macro_f1)


SECTION = Section("chance", "The same peer on other folds", answer, seconds=180)
