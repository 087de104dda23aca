"""What a comparison runs: candidates, folds and tables; and what is missing or failed."""

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
    Left,
    Table,
    make_table,
    too_little_left,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare: candidates by name, folds and tables; and research sections to answer.

    `unfolded` is the usual folding that the catalogue is too small for.
    """

    catalogue: Catalogue
    candidates: tuple[str, ...]
    folds: tuple[int, ...]
    tables: tuple[Table, ...]
    sections: tuple[str, ...] = ()
    unfolded: tuple[Left, ...] = ()


@dataclass(slots=True)
class PlanOutcome:
    """What came of a plan: what is missing, and why."""

    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def make_plan(
    catalogue: Catalogue,
    *,
    candidates: Sequence[str],
    folds: Sequence[int],
    minima: Sequence[int] | None = None,
) -> Plan:
    """Return a plan; the members of ensembles join it, and tables of one class are left out.

    Without `minima`, the tables are the usual ones, unfolded where that leaves a small shop less
    than half. Raise DataError where no table is left.
    """
    wanted = set(candidates)
    for name in candidates:
        wanted |= set(named(name).members)
    unfolded: list[Left] = []
    if minima is None:
        unfolded = too_little_left(catalogue)
        for left in unfolded:
            say(f"{unfolded_because(left)} Compared unfolded instead.")
        small = {left.min_products for left in unfolded}
        minima = list(dict.fromkeys(UNFOLDED if one in small else one for one in MINIMA))
    tables = []
    for minimum in minima:
        made = [make_table(catalogue, minimum, name) for name in INPUTS]
        if None in made:
            say(f"No table with classes of at least {minimum} products: fewer than two are left.")
        tables += [table for table in made if table is not None]
    outside = [name for name in dict.fromkeys(candidates) if name not in CANDIDATES]
    ordered = (*(name for name in CANDIDATES if name in wanted), *outside)
    if not tables:
        raise DataError(
            f"There is nothing to compare: the {len(catalogue.rows):,} products have "
            f"{len(set(catalogue.labels))} categories down to level {LEVEL}, and no table has two "
            "classes. Expected were two at least. Give another catalogue, or a lower --min-count."
        )
    return Plan(catalogue, ordered, tuple(folds), tuple(tables), unfolded=tuple(unfolded))


def unfolded_because(left: Left) -> str:
    """Say why a table is unfolded.

    >>> unfolded_because(Left(100, 0.382, 0.05))
    'Only 38% of the products and 5% of the categories have classes of at least 100 products.'
    """
    return (
        f"Only {left.products:.0%} of the products and {left.categories:.0%} of the categories "
        f"have classes of at least {left.min_products} products."
    )
