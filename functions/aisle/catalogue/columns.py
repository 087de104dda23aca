"""Which columns of a shop's file hold what."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from aisle.errors import DataError
from aisle.product import FIELDS

RECORD_FIELDS: Final = ("sku", *FIELDS, "category")
SEPARATOR: Final = ">"
_EXAMPLE: Final = "name=title,description=body,category=dept+aisle"


@dataclass(frozen=True, slots=True)
class Columns:
    """The names that a shop gave its columns; without any, those of the README's schema.

    `category` is one column or several, root first. Where one column holds the whole path as text,
    `separator` is what stands between its names. `given` are the fields that somebody named.
    """

    sku: str = "sku"
    name: str = "name"
    description: str = "description"
    manufacturer: str = "manufacturer"
    price: str = "price"
    category: tuple[str, ...] = ("category",)
    separator: str = SEPARATOR
    given: frozenset[str] = frozenset()

    def of(self, field: str) -> tuple[str, ...]:
        """Return the columns that hold a field; only a category may have several.

        >>> Columns(category=("dept", "aisle")).of("category")
        ('dept', 'aisle')
        """
        found: str | tuple[str, ...] = getattr(self, field)
        return (found,) if isinstance(found, str) else found

    def select(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row's fields under their own names, a category as a list of its levels.

        >>> Columns(name="title", category=("cat",)).select({"title": "Pan", "cat": "Home > Pans"})
        {'name': 'Pan', 'category': ['Home', 'Pans']}
        """
        chosen = {
            field: row[column]
            for field in RECORD_FIELDS[:-1]
            for column in self.of(field)
            if column in row
        }
        if any(column in row for column in self.category):
            chosen["category"] = self._category([row.get(column) for column in self.category])
        return chosen

    def _category(self, values: list[Any]) -> Any:  # noqa: ANN401  # whatever the file holds
        if len(values) > 1:
            while values and (values[-1] is None or not str(values[-1]).strip()):
                values.pop()
            return values
        (value,) = values
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("[{"):  # a list of nodes, put into a cell of a table
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                pass
        names = [name.strip() for name in value.split(self.separator)]
        while names and not names[-1]:
            names.pop()
        return names


def columns_from(
    text: str | None = None, *, mapping: Path | None = None, separator: str | None = None
) -> Columns:
    """Return the columns that the options `--columns`, `--mapping` and `--separator` name.

    A mapping file is TOML or JSON with a shop's column for each field, several for the category as
    a list, and perhaps the separator; the other options go before it. Raises DataError for what
    cannot be understood.

    >>> columns_from("name=title,category=dept+aisle").category
    ('dept', 'aisle')
    """
    found: dict[str, Any] = {}
    if mapping is not None:
        found |= _from_file(mapping)
    if text is not None:
        found |= _from_text(text)
    if separator is not None:
        found["separator"] = separator
    if not found.get("separator", SEPARATOR).strip():
        raise DataError(
            f"The separator of categories cannot be used: {found['separator']!r} was given. "
            "Expected was what stands between the names of a path, such as > or /. Correct "
            "--separator."
        )
    return Columns(**found, given=frozenset(found) & frozenset(RECORD_FIELDS))


def _from_text(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in text.split(","):
        field, _, column = (each.strip() for each in part.partition("="))
        columns = tuple(each.strip() for each in column.split("+"))
        several = field == "category"
        if field not in RECORD_FIELDS or field in found or not all(columns):
            raise DataError(
                f"The columns cannot be told from {text!r}: {part.strip()!r} was given. Expected "
                f"was a field and its column, each field once, of {', '.join(RECORD_FIELDS)}. "
                f"Write it like {_EXAMPLE}, or give a --mapping file."
            )
        found[field] = columns if several else column
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8-sig")
        read = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except OSError as error:
        raise DataError(
            f"The mapping {path} cannot be read: {error.strerror}. Expected was a small TOML or "
            "JSON file. Check the path given with --mapping."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"The mapping {path} is neither TOML nor JSON: {error}. Expected were lines like "
            'name = "title". Correct the file.'
        ) from error
    return {key: _checked(path, key, value) for key, value in read.items()}


def _checked(path: Path, key: str, value: Any) -> str | tuple[str, ...]:  # noqa: ANN401  # any TOML
    names = [one.name for one in fields(Columns) if one.name != "given"]
    values = value if isinstance(value, list) and key == "category" else [value]
    if key not in names or not values or not all(isinstance(one, str) and one for one in values):
        raise DataError(
            f"The mapping {path} cannot be used: it has {key} = {value!r}. Expected was the name "
            f"of a column for each of {', '.join(names)}, for category perhaps a list. Correct it."
        )
    return tuple(values) if key == "category" else str(value)
