"""A catalogue of labelled products, and the count of the rows left out."""

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
from aisle.catalogue.source import display_name
from aisle.errors import DataError

DUPLICATE = "identical to an earlier row"


@dataclass(slots=True)
class Skipped:
    """Rows left out, counted by reason; `keep` is called with each row and its reason."""

    reasons: Counter[str] = field(default_factory=Counter)
    keep: Callable[[Record, str], None] | None = None

    def add(self, record: Record, reason: str) -> None:
        """Count a row that was left out."""
        self.reasons[reason] += 1
        if self.keep is not None:
            self.keep(record, reason)

    def __str__(self) -> str:
        """List the reasons, each with its number of rows, most frequent first."""
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())


def read_labelled(
    source: str | Path,
    *,
    columns: Columns = DEFAULT_COLUMNS,
    skipped: Skipped | None = None,
    duplicates: bool = True,
) -> Iterator[LabelledProduct]:
    """Yield the labelled products of a file or URL, in order.

    Rows that cannot be used are counted in `skipped`. With `duplicates=False`, a row is also left
    out if it has a sku and equals an earlier row in every column. Equal rows without a sku stay:
    in a catalogue exported without skus, different products can look the same, and their number
    says how large a category is.

    Raises DataError if the file cannot be read to its end or has no usable row.
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
            f"No usable product was found in {display_name(source)}: {skipped}. "
            f"{_columns_of(first)}Expected rows with a category, and a name or a description, in "
            "the README's schema. Say which column holds which field: --columns "
            "name=title,category=dept+aisle."
        )


def _has_sku(record: Record) -> bool:
    sku = record.fields.get("sku")
    return sku is not None and sku != ""


def _digest(row: Any) -> int:  # noqa: ANN401  # any JSON value
    text = dumps(row, sort_keys=True)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _columns_of(record: Record | None) -> str:
    if record is None or not isinstance(record.raw, dict) or not record.raw:
        return ""
    names = ", ".join(record.raw)
    return f"The first row has the columns {names[:500]}. "
