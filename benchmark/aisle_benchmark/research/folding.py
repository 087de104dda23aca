"""The folding threshold at every level, and late against early folding of fine classes."""

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
    """Train on the last category of each path; fold the best class late, by level and threshold."""
    depth = max(len(row.path) for row in catalogue.rows)
    levels = [*range(1, min(depth, 3) + 1), _LEAF]
    labels = {
        level: [row.path[: level or None][-1].id for row in catalogue.rows] for level in levels
    }
    rows, fine, probabilities = _fine(catalogue, labels[_LEAF])
    best = probabilities.argmax(axis=1)
    table = []
    for level in levels:
        # If an id has two parents, the one with more of its products counts.
        of_fine = _most_common(labels[_LEAF], labels[level])
        counts = Counter(labels[level])
        for minimum in CURVE:
            true = targets(labels[level], counts, minimum)
            classes = sum(count >= minimum for count in counts.values())
            if not classes:
                continue
            folded = targets([of_fine[label] for label in fine], counts, minimum)
            validated = CrossValidated(true[rows], folded[best])
            other = float((true == classes).mean())
            name = f"level {level}" if level else "last category"
            table.append((name, minimum, classes, other, validated.accuracy, validated.macro_f1))
    by_level = {(row[0], row[1]): row for row in table}
    rare, common = by_level["last category", 1], by_level.get(("last category", 100), table[-1])
    return Finding(
        columns=("compared", "at least", "classes", "share of other", "accuracy", "macro-F1"),
        rows=tuple(table),
        sentence=(
            f"With each of the {rare[2]} categories as a class, accuracy is {rare[4]:.3f} and "
            f"macro-F1 {rare[5]:.3f}. With a threshold of {common[1]} products they are "
            f"{common[4]:.3f} and {common[5]:.3f}, but {common[3]:.0%} of the products are then "
            "`other`, which is of no use to a shop. A higher threshold raises accuracy by making "
            "answers less specific. The shipped model therefore folds a rare category into its "
            "parent, not into `other`."
        ),
    )


def late(catalogue: Catalogue) -> Finding:
    """Compare classes folded before training with fine classes folded after it."""
    part, counts = part_of(catalogue), label_counts(catalogue)
    early = cross_validate(catalogue, part, lambda product: [text_of(product)])
    rows, fine, probabilities = _fine(catalogue, catalogue.labels)
    table: list[tuple[Cell, ...]] = []
    gains: list[str] = []
    for minimum, base in zip(MINIMA, early, strict=True):
        true = targets(catalogue.labels, counts, minimum)
        folded = targets(fine, counts, minimum)
        membership = np.zeros((len(fine), int(max(true.max(), folded.max())) + 1), np.float32)
        membership[np.arange(len(fine)), folded] = 1
        ways = {
            "early": base,
            "late, probabilities summed": CrossValidated(
                true[rows], (probabilities @ membership).argmax(axis=1)
            ),
            "late, the best fine class": CrossValidated(
                true[rows], folded[probabilities.argmax(axis=1)]
            ),
        }
        table += [
            (f"fewer than {minimum}", name, validated.accuracy, validated.macro_f1)
            for name, validated in ways.items()
        ]
        name, best = max(
            ((name, validated) for name, validated in ways.items() if name != "early"),
            key=lambda way: way[1].accuracy,
        )
        gains.append(
            f"{signed(best.accuracy - base.accuracy)} accuracy and "
            f"{signed(best.macro_f1 - base.macro_f1)} macro-F1 in the table of {minimum} ({name})"
        )
    return Finding(
        columns=("to `other`", "folded", "accuracy", "macro-F1"),
        rows=tuple(table),
        sentence=(
            f"Compared with early folding, the better way of late folding changes {listed(gains)}. "
            "Summed probabilities are only as good as their calibration: here one temperature "
            "serves hundreds of classes, while the shipped model learns a weight for each level."
        ),
    )


def _fine(
    catalogue: Catalogue, labels: list[str] | tuple[str, ...]
) -> tuple[NDArray[np.int64], list[str], NDArray[np.float32]]:
    """Return rows, all labels, and out-of-fold probabilities (rows, labels)."""
    part = part_of(catalogue)
    rows = part.rows
    fine = sorted(set(labels))
    numbers = {label: number for number, label in enumerate(fine)}
    true = np.array([numbers[labels[row]] for row in rows], np.int64)
    return rows, fine, out_of_fold(catalogue, rows, part.folds, true, len(fine))


def _most_common(fine: list[str], coarse: list[str]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {}
    for fine_label, coarse_label in zip(fine, coarse, strict=True):
        counts.setdefault(fine_label, Counter())[coarse_label] += 1
    return {label: counter.most_common(1)[0][0] for label, counter in counts.items()}


SECTIONS = (
    Section("fold-threshold", "The fold threshold, at every level", threshold),
    Section("fold-late", "Fine classes folded late against folded early", late),
)
