"""How much of a figure is the luck of its folds: the same peer on other assignments to folds."""

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

    Nothing is chosen by it, so all rows are there, as in the tables.
    """
    minimum = max(MINIMA)
    tables = [
        table for inputs in INPUTS if (table := make_table(catalogue, minimum, inputs)) is not None
    ]
    found = {
        name: [value for table in tables for value in _measure(catalogue, table, folds)]
        for name, folds in assignments(catalogue).items()
    }
    every = np.array([*found.values()])
    others = every[1:]
    mean, deviation = others.mean(axis=0), others.std(axis=0, ddof=1)
    behind = " / ".join(
        signed(own - other) for own, other in zip(every[0, ::2], mean[::2], strict=True)
    )
    names = " / ".join(table.inputs for table in tables)
    return Finding(
        columns=(
            "assignment to folds",
            *(f"{what}, {table.inputs}" for table in tables for what in _MEASURES),
        ),
        rows=(
            *((name, *row.tolist()) for name, row in zip(found, every, strict=True)),
            ("mean of the others", *mean.tolist()),
            ("their standard deviation", *deviation.tolist()),
        ),
        sentence=(
            f"On the tables' own folds the same linear SVM (C = 1, classes of {minimum} products) "
            f"has {behind} accuracy beside the mean of {_OTHERS} other assignments of the same "
            f"groups ({names}). What one model gains over another on the same rows says more than "
            "either figure."
        ),
    )


def assignments(catalogue: Catalogue) -> dict[str, NDArray[np.int64]]:
    """Return the folds of all rows, int64 (rows,): the tables' own first, then others."""
    found = {_OWN: catalogue.folds}
    for number in range(1, _OTHERS + 1):
        hashed = [hashlib.sha256(f"{number}{one}".encode()).digest() for one in catalogue.groups]
        found[f"other {number}"] = np.array(
            [int.from_bytes(one[:4], "big") % FOLDS for one in hashed], np.int64
        )
    return found


def _measure(catalogue: Catalogue, table: Table, folds: NDArray[np.int64]) -> tuple[float, float]:
    """Return accuracy and macro-F1, pooled out of fold."""
    targets = table.targets(catalogue.labels)
    chosen = np.zeros_like(targets)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(np.unique(targets[inside])) == 1:
            chosen[outside] = targets[inside][0]
            continue
        features = TextFeatures()
        matrix = features.fit_transform(catalogue.products(inside, table.inputs))
        machine = LinearSVC(C=1.0, tol=1e-2).fit(matrix, targets[inside])
        chosen[outside] = machine.predict(
            features.transform(catalogue.products(outside, table.inputs))
        )
    there = np.bincount(targets, minlength=len(table.classes)) > 0
    macro_f1 = f1_by_class(targets, chosen, len(table.classes))[there].mean()
    return float((targets == chosen).mean()), float(macro_f1)


SECTION = Section("chance", "The same peer on other folds", answer, seconds=180)
