"""Convert a row of a file to a product, with or without its category."""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from aisle.catalogue.records import Record
from aisle.errors import InvalidProductError
from aisle.product import Path, Product, path_from_names

_NUMBER: Final = re.compile(r"\d+(?:[.,'’ \u00a0\u202f]\d+)*", re.ASCII)
_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,'’ ])\d{3})(?:\1\d{3})*", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}|[A-Z]{0,2}\$|kr\.?|Kč|zł|Fr\.?|Rs\.?", re.IGNORECASE)


class UnusableRowError(InvalidProductError):
    """A row that cannot be used; `reason` is a fixed phrase, so that reasons can be counted."""

    def __init__(self, record: Record, reason: str, expected: str, *, field: str) -> None:
        super().__init__(
            f"The row at line {record.line} cannot be used: it is {reason}. Expected {expected}. "
            "Correct the row or leave it out.",
            field=field,
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LabelledProduct:
    """A product with the category that its shop gave it.

    `ids` are the shop's own category ids along the path, None for a level without one. In `path`,
    the id of such a level is its path of names.
    """

    product: Product
    path: Path
    ids: tuple[str | None, ...]


def to_product(record: Record) -> Product:
    """Return a row's product.

    A number in a text field becomes text, and an unreadable price is ignored. Raises
    InvalidProductError if the row is not an object, a text field has another type, or there is
    neither a name nor a description.
    """
    if record.problem is not None:
        _refuse(record, record.problem, "a row with a value for each column", field="row")
    texts = {field: _text(record, field) for field in ("name", "description", "manufacturer")}
    if texts["name"] is None and texts["description"] is None:
        _refuse(record, "without a name or a description", "at least one of them", field="name")
    return Product(**texts, price=to_price(record.fields.get("price")))


def to_labelled(record: Record) -> LabelledProduct:
    """Return a row's product with its category; raise InvalidProductError if it has none."""
    product = to_product(record)
    nodes = record.fields.get("category")
    if isinstance(nodes, int | float) and not isinstance(nodes, bool):
        nodes = [nodes]
    if not isinstance(nodes, list) or not nodes:
        _refuse(record, "without a category", "a list of its levels, root first", field="category")
    names = [node.get("name") if isinstance(node, dict) else node for node in nodes]
    ids = [_id(node.get("id")) if isinstance(node, dict) else None for node in nodes]
    labels = [
        _plain(name) if name is not None else node_id
        for name, node_id in zip(names, ids, strict=True)
    ]
    if not all(label is not None and label.strip() for label in labels):
        _refuse(
            record,
            "with a category that has neither a name nor an id",
            "a name or an id for each level",
            field="category",
        )
    return LabelledProduct(product, path_from_names(cast("list[str]", labels), ids), tuple(ids))


def to_price(value: Any) -> float | None:  # noqa: ANN401  # any JSON value
    """Return the price, or None if it is ambiguous or not a price.

    >>> [to_price(text) for text in ("$1,299.00", "12,50 €", "1.299,00", "1 299 kr", 5)]
    [1299.0, 12.5, 1299.0, 1299.0, 5.0]
    >>> [to_price(text) for text in ("$1,299", "10 - 20", "from 5", "free", -1)]
    [None, None, None, None, None]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        price = _typed_price(value) if isinstance(value, str) else math.nan
    return price if 0 <= price < math.inf else None


def _typed_price(text: str) -> float:
    """Parse a price as people type it; return NaN if a separator is ambiguous."""
    number = _NUMBER.search(text)
    around = [text[: number.start()], text[number.end() :]] if number else []
    if number is None or not all(_is_currency(part.strip()) for part in around):
        return math.nan
    digits = re.sub(r"[\u00a0\u202f]", " ", number[0]).replace("’", "'")
    marks = [mark for mark in digits if not mark.isdigit()]
    whole, cents = digits, ""
    if marks and marks[-1] in ".," and marks.count(marks[-1]) == 1:
        whole, _, cents = digits.rpartition(marks[-1])
        if len(marks) == 1 and len(cents) == 3:  # noqa: PLR2004  # 1,299: thousands or decimals?
            return math.nan
    if not whole.isdigit() and not _GROUPED.fullmatch(whole):
        return math.nan
    return float(f"{re.sub(r'[^0-9]', '', whole)}.{cents or 0}")


def _is_currency(text: str) -> bool:
    if not text or _CURRENCY.fullmatch(text):
        return True
    return len(text) == 1 and unicodedata.category(text) == "Sc"


def _text(record: Record, field: str) -> str | None:
    value = record.fields.get(field)
    if value is None:
        return None
    text = _plain(value)
    if text is None:
        _refuse(record, f"with a {field} that is not text", "text or nothing", field=field)
    return text if text.strip() else None


def _plain(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    """Return a string, a number as a string, or None for any other type."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _id(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    return None if value is None or value == "" else str(value)


def _refuse(record: Record, reason: str, expected: str, *, field: str) -> NoReturn:
    raise UnusableRowError(record, reason, expected, field=field)
