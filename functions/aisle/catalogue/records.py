"""The rows of a shop's file, whatever its format, in constant memory."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aisle.catalogue.columns import Columns
from aisle.catalogue.formats import Row, read_rows
from aisle.catalogue.source import open_source
from aisle.errors import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a file: where it stands, and what it says.

    `line` is where it begins and `number` counts rows, both from 1: a JSON array may be all in one
    line. `fields` are the fields it has of sku, name, description, manufacturer, price and
    category, with the values of the file; a category of text or of several columns is a list of
    its names. `raw` is the row as it was. `problem` says why a row cannot be one of a catalogue.
    """

    line: int
    fields: dict[str, Any]
    number: int = 0
    raw: Any = None
    problem: str | None = None


DEFAULT_COLUMNS = Columns()


def read_records(
    source: str | Path,
    *,
    columns: Columns = DEFAULT_COLUMNS,
    needs: Collection[str] = (),
) -> Iterator[Record]:
    """Yield the rows of a file or of what an http(s) address answers, in order.

    The content tells the format: a JSON array, JSON lines, or a table with a header and commas,
    tabs or semicolons; each perhaps gzipped, in UTF-8. `needs` names fields that a table must have
    a column for, beside a name or a description and the columns that were given by name.

    Raises DataError where the file cannot be read to its end, or has no row.
    """
    empty = True
    unseen = {column for field in columns.given for column in columns.of(field)}
    with open_source(source) as (stream, shown):
        for number, row in enumerate(read_rows(stream, shown, columns, needs), start=1):
            empty = False
            if unseen and isinstance(row.value, dict):
                unseen -= row.value.keys()
            yield _record(row, number, columns)
    if empty:
        raise DataError(
            f"No usable product was found in {shown}: it is empty. Expected was a JSON array, JSON "
            "lines, or a table with a header and a row for each product. Check that it is the "
            "right file."
        )
    if unseen:
        raise DataError(
            f"The columns of {shown} cannot be used: no row has {', '.join(sorted(unseen))}. "
            "Expected were the columns that --columns or --mapping name. Correct the names."
        )


def _record(row: Row, number: int, columns: Columns) -> Record:
    if row.problem is None and not isinstance(row.value, dict):
        return Record(row.line, {}, number, row.value, "not an object")
    if row.problem is not None:
        return Record(row.line, {}, number, row.value, row.problem)
    return Record(row.line, columns.select(row.value), number, row.value)
