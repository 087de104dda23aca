"""The plan of a comparison: candidates, folds and tables; and its outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aisle.errors import DataError
from aisle.progress import say
from aisle_benchmark.candidates import CANDIDATES, named
from aisle_benchmark.protocol import (
    INPUTS,
    LEVEL,
    MINIMA,
    UNFOLDED,
    Catalogue,
    Retained,
    Table,
    make_table,
    too_little_retained,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare: candidates by name, folds and tables; and the research sections to run.

    `unfolded` has the default foldings that retain too little of the catalogue.
    """

    catalogue: Catalogue
    candidates: tuple[str, ...]
    folds: tuple[int, ...]
    tables: tuple[Table, ...]
    sections: tuple[str, ...] = ()
    unfolded: tuple[Retained, ...] = ()


@dataclass(slots=True)
class PlanOutcome:
    """The candidates that a plan left out (`missing`) or that `failed`, with reasons."""

    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def make_plan(
    catalogue: Catalogue,
    *,
    candidates: Sequence[str],
    folds: Sequence[int],
    minima: Sequence[int] | None = None,
) -> Plan:
    """Return the plan of a comparison: candidates, with members of ensembles, and tables.

    Without `minima`, it has the default tables, unfolded if folding retains less than half of a
    small shop. Raise DataError if no table is left.
    """
    included = set(candidates)
    for name in candidates:
        included |= set(named(name).members)
    unfolded: list[Retained] = []
    if minima is None:
        unfolded = too_little_retained(catalogue)
        for retained in unfolded:
            say(f"{unfolded_because(retained)} Comparing all categories unfolded instead.")
        too_small = {retained.min_products for retained in unfolded}
        minima = list(
            dict.fromkeys(UNFOLDED if minimum in too_small else minimum for minimum in MINIMA)
        )
    tables = []
    for minimum in minima:
        candidate_tables = [make_table(catalogue, minimum, name) for name in INPUTS]
        if None in candidate_tables:
            say(
                f"Skipping the tables with classes of at least {minimum} products: they would have "
                "fewer than two classes."
            )
        tables += [table for table in candidate_tables if table is not None]
    outside = [name for name in dict.fromkeys(candidates) if name not in CANDIDATES]
    ordered = (*(name for name in CANDIDATES if name in included), *outside)
    if not tables:
        raise DataError(
            f"There is nothing to compare: the {len(catalogue.rows):,} products have "
            f"{len(set(catalogue.labels))} categories down to level {LEVEL}, and no table has two "
            "classes. Expected at least two. Give another catalogue, or a lower --min-count."
        )
    return Plan(catalogue, ordered, tuple(folds), tuple(tables), unfolded=tuple(unfolded))


def unfolded_because(retained: Retained) -> str:
    """Return the reason why a table is unfolded, as a sentence.

    >>> unfolded_because(Retained(100, 0.382, 0.05))
    'Only 38% of the products and 5% of the categories have classes of at least 100 products.'
    """
    return (
        f"Only {retained.products:.0%} of the products and {retained.categories:.0%} of the "
        f"categories have classes of at least {retained.min_products} products."
    )
