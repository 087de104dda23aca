"""Label errors: the most suspicious training rows, and the effect of leaving them out."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from aisle_benchmark.candidates.features import text_of
from aisle_benchmark.finding import Cell, Finding, Section, signed
from aisle_benchmark.protocol import MINIMA, Catalogue
from aisle_benchmark.research.instrument import (
    FIGURES,
    CrossValidated,
    features,
    label_counts,
    linear,
    out_of_fold,
    part_of,
    targets,
)
from aisle_training.release.measure import OTHER

SHARES = (0.01, 0.02, 0.05)
_LESS = 0.3
_SHOWN = 10


def answer(catalogue: Catalogue) -> Finding:
    """Find likely label errors in the training split; measure on the validation split."""
    part, counts = part_of(catalogue), label_counts(catalogue)
    true = {minimum: targets(catalogue.labels, counts, minimum) for minimum in MINIMA}
    finest = min(MINIMA)
    quality, suggested = label_quality(catalogue, part.train, part.folds, true[finest])
    order = np.argsort(quality, kind="stable")
    texts = [[text_of(row.product) for row in catalogue.rows]]
    train, test = features(texts, part.train, part.validation)

    def measure(weights: NDArray[np.float64]) -> list[Cell]:
        kept = weights > 0
        cells: list[Cell] = []
        for minimum in MINIMA:
            labels = true[minimum][part.train]
            model = linear(train[kept], labels[kept], weights[kept])
            validated = CrossValidated(true[minimum][part.validation], model.predict(test))
            cells += [validated.accuracy, validated.macro_f1]
        return cells

    unweighted = np.ones(len(part.train))
    rows: list[tuple[Cell, ...]] = [("all rows as they are", 0, *measure(unweighted))]
    for share in SHARES:
        count = int(share * len(order))
        for name, weight in (("removed", 0.0), (f"at weight {_LESS}", _LESS)):
            weights = unweighted.copy()
            weights[order[:count]] = weight
            rows.append((f"{share:.0%} most suspicious {name}", count, *measure(weights)))
    base, *others = rows
    gains = [_number(row[2]) - _number(base[2]) for row in others]
    gains_fine = [_number(row[4]) - _number(base[4]) for row in others]
    return Finding(
        columns=(
            "training rows",
            "rows touched",
            *FIGURES,
        ),
        rows=tuple(rows),
        sentence=(
            f"On {len(part.validation)} validation products, accuracy changes by "
            f"{signed(min(gains))} to {signed(max(gains))} (table of 100) and "
            f"{signed(min(gains_fine))} to {signed(max(gains_fine))} (table of 20). Most of the "
            "suspicious rows fit two categories equally well: "
            f"{_examples(catalogue, part.train[order], suggested[order], finest)}."
        ),
    )


def label_quality(
    catalogue: Catalogue,
    rows: NDArray[np.int64],
    folds: NDArray[np.int64],
    true: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each row's label quality (Northcutt et al. 2021) and its most likely class."""
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415  # of the research extra

    present, labels = np.unique(true[rows], return_inverse=True)
    probabilities = out_of_fold(catalogue, rows, folds, labels, len(present))
    quality = get_label_quality_scores(labels, probabilities.astype(np.float64))
    return quality, present[probabilities.argmax(axis=1)]


def _examples(
    catalogue: Catalogue, rows: NDArray[np.int64], suggested: NDArray[np.int64], minimum: int
) -> str:
    """Return the most frequent pairs of given and likelier categories in the top two percent."""
    counts = label_counts(catalogue)
    kept = sorted(label for label, count in counts.items() if count >= minimum)
    names = {row.path[:3][-1].id: row.path[:3][-1].name for row in catalogue.rows}
    pairs = Counter(
        (names[catalogue.labels[row]], names[kept[label]] if label < len(kept) else OTHER)
        for row, label in zip(rows[: len(rows) // 50], suggested, strict=False)
    )
    return "; ".join(
        f"“{given}” that looks like “{likelier}” ({count})"
        for (given, likelier), count in pairs.most_common(_SHOWN // 2)
    )


def _number(cell: Cell) -> float:
    return float(cell or 0)


SECTION = Section("label-noise", "Label noise", answer, packages=(("cleanlab", "cleanlab"),))
