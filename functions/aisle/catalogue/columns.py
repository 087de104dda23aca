"""Which column of a shop's file holds which field."""

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
    """A shop's column names; the defaults are those of the README's schema.

    `category` is one column, or several with the root first. If a single column holds the whole
    path as text, `separator` separates its levels. `given` is the set of fields whose columns were
    named explicitly.
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
        """Return the columns of a field; only the category may have several.

        >>> Columns(category=("dept", "aisle")).of("category")
        ('dept', 'aisle')
        """
        columns: str | tuple[str, ...] = getattr(self, field)
        return (columns,) if isinstance(columns, str) else columns

    def select(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row's fields under Aisle's names, the category as a list of levels.

        >>> Columns(name="title", category=("cat",)).select({"title": "Pan", "cat": "Home > Pans"})
        {'name': 'Pan', 'category': ['Home', 'Pans']}
        """
        selected = {
            field: row[column]
            for field in RECORD_FIELDS[:-1]
            for column in self.of(field)
            if column in row
        }
        if any(column in row for column in self.category):
            selected["category"] = self._category([row.get(column) for column in self.category])
        return selected

    def _category(self, values: list[Any]) -> Any:  # noqa: ANN401  # any JSON value
        if len(values) > 1:
            while values and (values[-1] is None or not str(values[-1]).strip()):
                values.pop()
            return values
        (value,) = values
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("[{"):  # a JSON list of nodes in a table cell
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
    """Return the columns given by the options `--columns`, `--mapping` and `--separator`.

    A mapping file is TOML or JSON. It names the column of each field, for the category perhaps a
    list of columns, and optionally the separator; the other two options override it. Raises
    DataError if an option or the file is invalid.

    >>> columns_from("name=title,category=dept+aisle").category
    ('dept', 'aisle')
    """
    options: dict[str, Any] = {}
    if mapping is not None:
        options |= _from_file(mapping)
    if text is not None:
        options |= _from_text(text)
    if separator is not None:
        options["separator"] = separator
    if not options.get("separator", SEPARATOR).strip():
        raise DataError(
            f"The category separator cannot be used: {options['separator']!r} was given. Expected "
            "the text between the levels of a category path, such as > or /. Correct --separator."
        )
    return Columns(**options, given=frozenset(options) & frozenset(RECORD_FIELDS))


def _from_text(text: str) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for item in text.split(","):
        field, _, column = (part.strip() for part in item.partition("="))
        columns = tuple(part.strip() for part in column.split("+"))
        if field not in RECORD_FIELDS or field in mapping or not all(columns):
            raise DataError(
                f"The columns {text!r} cannot be used: {item.strip()!r} was given. Expected "
                f"FIELD=COLUMN, each field once; the fields are {', '.join(RECORD_FIELDS)}. Write "
                f"it like {_EXAMPLE}, or give a --mapping file."
            )
        mapping[field] = columns if field == "category" else column
    return mapping


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8-sig")
        mapping = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except OSError as error:
        raise DataError(
            f"The mapping {path} cannot be read: {error.strerror}. Expected a TOML or JSON file. "
            "Check the path given with --mapping."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"The mapping {path} is neither TOML nor JSON: {error}. Expected lines like "
            'name = "title". Correct the file.'
        ) from error
    return {key: _checked(path, key, value) for key, value in mapping.items()}


def _checked(path: Path, key: str, value: Any) -> str | tuple[str, ...]:  # noqa: ANN401  # any TOML
    names = [field.name for field in fields(Columns) if field.name != "given"]
    values = value if isinstance(value, list) and key == "category" else [value]
    if key not in names or not values or not all(isinstance(text, str) and text for text in values):
        raise DataError(
            f"The mapping {path} cannot be used: it has {key} = {value!r}. Expected only the keys "
            f"{', '.join(names)}, each with one text; category may have a list of columns. Correct "
            "the file."
        )
    return tuple(values) if key == "category" else str(value)
