"""The rows of a shop's file in any supported format, read in constant memory."""

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
    """A row of a file: its position and its values.

    `line` is the line it begins at and `number` its row number, both from 1; they differ, for
    example, in a JSON array on a single line. `fields` has those of sku, name, description,
    manufacturer, price and category that the row has, with the file's values; a category given as
    text or in several columns is a list of names. `raw` is the row as read. `problem` says why the
    row is unusable, or is None.
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
    """Yield the rows of a file or URL, in order.

    The format is detected from the content: a JSON array, JSON lines, or a table with a header and
    commas, tabs or semicolons; in UTF-8, optionally gzipped. `needs` are the fields that a table
    must have a column for, in addition to a name or a description and the columns named explicitly.

    Raises DataError if the file cannot be read to its end or has no row.
    """
    empty = True
    unseen = {column for field in columns.given for column in columns.of(field)}
    with open_source(source) as (stream, name):
        for number, row in enumerate(read_rows(stream, name, columns, needs), start=1):
            empty = False
            if unseen and isinstance(row.value, dict):
                unseen -= row.value.keys()
            yield _record(row, number, columns)
    if empty:
        raise DataError(
            f"No usable product was found in {name}: it is empty. Expected a JSON array, JSON "
            "lines, or a table with a header and a row for each product. Check that it is the "
            "right file."
        )
    if unseen:
        raise DataError(
            f"The columns of {name} cannot be used: no row has {', '.join(sorted(unseen))}. "
            "Expected the columns that --columns or --mapping names. Correct the names."
        )


def _record(row: Row, number: int, columns: Columns) -> Record:
    if row.problem is None and not isinstance(row.value, dict):
        return Record(row.line, {}, number, row.value, "not an object")
    if row.problem is not None:
        return Record(row.line, {}, number, row.value, row.problem)
    return Record(row.line, columns.select(row.value), number, row.value)
