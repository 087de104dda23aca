"""A whole catalogue of labelled products, and an account of the rows that could not be used."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from json import dumps
from pathlib import Path
from typing import Any

from aisle.catalogue.columns import Columns
from aisle.catalogue.products import LabelledProduct, UnusableRowError, to_labelled
from aisle.catalogue.records import DEFAULT_COLUMNS, Record, read_records
from aisle.catalogue.source import shown
from aisle.errors import DataError

DUPLICATE = "the same as a row before"


@dataclass(slots=True)
class Skipped:
    """Rows that could not be used, counted by reason; `keep` is given each of them."""

    reasons: Counter[str] = field(default_factory=Counter)
    keep: Callable[[Record, str], None] | None = None

    def add(self, record: Record, reason: str) -> None:
        """Count a row."""
        self.reasons[reason] += 1
        if self.keep is not None:
            self.keep(record, reason)

    def __str__(self) -> str:
        """Say how many rows for which reason."""
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())


def read_labelled(
    source: str | Path,
    *,
    columns: Columns = DEFAULT_COLUMNS,
    skipped: Skipped | None = None,
    duplicates: bool = True,
) -> Iterator[LabelledProduct]:
    """Yield the labelled products of a file or an address, in order.

    Rows that cannot be used are counted in `skipped`. Without `duplicates`, so are rows that equal
    one before in every column; only where they have a sku, because a catalogue that came without
    its skus has products that look the same, and how often says something of its categories.

    Raises DataError where the file cannot be read to its end, or has no usable row.
    """
    skipped = skipped if skipped is not None else Skipped()
    usable, seen, first = False, set[int](), None
    for record in read_records(source, columns=columns, needs=("category",)):
        first = first if first is not None else record
        try:
            labelled = to_labelled(record)
        except UnusableRowError as error:
            skipped.add(record, error.reason)
            continue
        if not duplicates and _has_sku(record):
            digest = _digest(record.raw)
            if digest in seen:
                skipped.add(record, DUPLICATE)
                continue
            seen.add(digest)
        usable = True
        yield labelled
    if not usable:
        raise DataError(
            f"No usable product was found in {shown(source)}: {skipped}. {_found(first)}Expected "
            "were rows with a name or a description and a category, in the schema of the README. "
            "Say which column holds what: --columns name=title,category=dept+aisle."
        )


def _has_sku(record: Record) -> bool:
    sku = record.fields.get("sku")
    return sku is not None and sku != ""


def _digest(row: Any) -> int:  # noqa: ANN401  # whatever the file holds
    text = dumps(row, sort_keys=True)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _found(record: Record | None) -> str:
    if record is None or not isinstance(record.raw, dict) or not record.raw:
        return ""
    names = ", ".join(record.raw)
    return f"The first has the columns {names[:500]}. "
