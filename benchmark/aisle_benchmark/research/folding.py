"""The fold threshold at every level, and fine classes folded late against folded early."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from aisle_benchmark.candidates.features import text_of
from aisle_benchmark.finding import Cell, Finding, Section, listed, signed
from aisle_benchmark.protocol import MINIMA, Catalogue
from aisle_benchmark.research.instrument import (
    CrossValidated,
    cross_validate,
    label_counts,
    out_of_fold,
    part_of,
    targets,
)

CURVE = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_LEAF = 0


def threshold(catalogue: Catalogue) -> Finding:
    """Train on the last category of each path, fold the best late to every level and threshold."""
    depth = max(len(row.path) for row in catalogue.rows)
    levels = [*range(1, min(depth, 3) + 1), _LEAF]
    labels = {
        level: [row.path[: level or None][-1].id for row in catalogue.rows] for level in levels
    }
    rows, fine, probabilities = _fine(catalogue, labels[_LEAF])
    best = probabilities.argmax(axis=1)
    table = []
    for level in levels:
        # Where an id stands under two parents, its products' commonest one decides.
        of_fine = _commonest(labels[_LEAF], labels[level])
        counts = Counter(labels[level])
        for minimum in CURVE:
            true = targets(labels[level], counts, minimum)
            classes = sum(count >= minimum for count in counts.values())
            if not classes:
                continue
            own = targets([of_fine[one] for one in fine], counts, minimum)
            found = CrossValidated(true[rows], own[best])
            other = float((true == classes).mean())
            name = f"level {level}" if level else "last category"
            table.append((name, minimum, classes, other, found.accuracy, found.macro_f1))
    at = {(row[0], row[1]): row for row in table}
    rare, common = at["last category", 1], at.get(("last category", 100), table[-1])
    return Finding(
        columns=("compared", "at least", "classes", "share of other", "accuracy", "macro-F1"),
        rows=tuple(table),
        sentence=(
            f"With every category a class, {rare[2]} of them, accuracy is {rare[4]:.3f} and "
            f"macro-F1 {rare[5]:.3f}; at {common[1]} products they are {common[4]:.3f} and "
            f"{common[5]:.3f}, but {common[3]:.0%} of the products are then `other`, which helps "
            "no shop. Accuracy that rises with the threshold is bought with answers that say less: "
            "hence the shipped model folds a rare category into its parent, not into `other`."
        ),
    )


def late(catalogue: Catalogue) -> Finding:
    """Compare classes that were folded before training with fine ones folded after it."""
    part, counts = part_of(catalogue), label_counts(catalogue)
    early = cross_validate(catalogue, part, lambda product: [text_of(product)])
    rows, fine, probabilities = _fine(catalogue, catalogue.labels)
    table: list[tuple[Cell, ...]] = []
    gains: list[str] = []
    for minimum, base in zip(MINIMA, early, strict=True):
        true = targets(catalogue.labels, counts, minimum)
        own = targets(fine, counts, minimum)
        member = np.zeros((len(fine), int(max(true.max(), own.max())) + 1), np.float32)
        member[np.arange(len(fine)), own] = 1
        ways = {
            "early": base,
            "late, probabilities summed": CrossValidated(
                true[rows], (probabilities @ member).argmax(axis=1)
            ),
            "late, the best fine class": CrossValidated(
                true[rows], own[probabilities.argmax(axis=1)]
            ),
        }
        table += [
            (f"fewer than {minimum}", name, one.accuracy, one.macro_f1)
            for name, one in ways.items()
        ]
        name, best = max(
            ((name, one) for name, one in ways.items() if name != "early"),
            key=lambda each: each[1].accuracy,
        )
        gains.append(
            f"{signed(best.accuracy - base.accuracy)} accuracy and "
            f"{signed(best.macro_f1 - base.macro_f1)} macro-F1 in the table of {minimum} ({name})"
        )
    return Finding(
        columns=("to `other`", "folded", "accuracy", "macro-F1"),
        rows=tuple(table),
        sentence=(
            f"The better way to fold late changes {listed(gains)} against folding early. Summed "
            "probabilities are only as good as they are calibrated: here one temperature for "
            "hundreds of classes has to do, while the shipped model learns a weight for each level."
        ),
    )


def _fine(
    catalogue: Catalogue, labels: list[str] | tuple[str, ...]
) -> tuple[NDArray[np.int64], list[str], NDArray[np.float32]]:
    """Return rows, all labels, and their out-of-fold probabilities (rows, labels)."""
    part = part_of(catalogue)
    rows = part.rows
    fine = sorted(set(labels))
    numbers = {label: at for at, label in enumerate(fine)}
    wanted = np.array([numbers[labels[row]] for row in rows], np.int64)
    return rows, fine, out_of_fold(catalogue, rows, part.folds, wanted, len(fine))


def _commonest(fine: list[str], coarse: list[str]) -> dict[str, str]:
    seen: dict[str, Counter[str]] = {}
    for one, other in zip(fine, coarse, strict=True):
        seen.setdefault(one, Counter())[other] += 1
    return {one: found.most_common(1)[0][0] for one, found in seen.items()}


SECTIONS = (
    Section("fold-threshold", "The fold threshold, at every level", threshold),
    Section("fold-late", "Fine classes folded late against folded early", late),
)
