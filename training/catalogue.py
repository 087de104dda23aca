"""Read a shop's labelled catalogue: a JSON array or JSON lines, each also gzipped."""

import codecs
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, BinaryIO, cast

from aisle.errors import DataError
from aisle.product import Path, Product, path_from_names

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class LabelledProduct:
    """A product with the category a shop gave it.

    `ids` are the shop's own category ids along the path, None where it has none; `path` has the
    same nodes with the path of names for an id there.
    """

    product: Product
    path: Path
    ids: tuple[str | None, ...]


@dataclass(slots=True)
class Skipped:
    """Rows that could not be used, counted by reason."""

    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Say how many rows for which reason."""
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())


def read_catalogue(path: FilePath, *, skipped: Skipped | None = None) -> Iterator[LabelledProduct]:
    """Yield the labelled products of a file, in order.

    Rows without a text or without a category are counted in `skipped`. Raises DataError where the
    file cannot be read, is not JSON, or has no usable row.
    """
    skipped = skipped if skipped is not None else Skipped()
    usable = False
    for row in _rows(path):
        labelled = _labelled(row)
        if isinstance(labelled, str):
            skipped.reasons[labelled] += 1
        else:
            usable = True
            yield labelled
    if not usable:
        raise DataError(
            f"No usable product was found in {path}: {str(skipped) or 'it is empty'}. Expected "
            "rows with a name or a description and a category, in the schema of the README."
        )


def _rows(path: FilePath) -> Iterator[Any]:
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
        # gzip reads several members in one file as one.
        with cast("BinaryIO", gzip.open(path) if compressed else path.open("rb")) as stream:
            yield from _parse(stream, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {error}. Expected a readable JSON array or JSON lines file, "
            "in UTF-8, perhaps gzipped."
        ) from error


def _parse(stream: BinaryIO, path: FilePath) -> Iterator[Any]:
    number, first = 0, True
    try:
        for number, line in enumerate(stream, start=1):  # noqa: B007  # the error names it
            text = line.removeprefix(codecs.BOM_UTF8).strip()
            if first and text.startswith(b"["):
                yield from json.loads(text + stream.read())
                return
            if text:
                first = False
                yield json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not JSON at line {number}: {error}. Expected one JSON array, or one JSON "
            "object a line."
        ) from error


def _labelled(row: Any) -> LabelledProduct | str:  # noqa: ANN401  # whatever the JSON holds
    """Return the labelled product, or the reason why there is none."""
    if not isinstance(row, dict):
        return "not an object"
    product = Product(
        name=_text(row.get("name")),
        description=_text(row.get("description")),
        manufacturer=_text(row.get("manufacturer")),
        price=_price(row.get("price")),
    )
    if product.name is None and product.description is None:
        return "without a name or a description"
    nodes = row.get("category")
    if not isinstance(nodes, list) or not nodes:
        return "without a category"
    names = [node.get("name") if isinstance(node, dict) else None for node in nodes]
    ids = [_id(node.get("id")) if isinstance(node, dict) else None for node in nodes]
    known = [name if name is not None else own for name, own in zip(names, ids, strict=True)]
    if not all(isinstance(name, str) and name.strip() for name in known):
        return "with a category that has neither a name nor an id"
    return LabelledProduct(product, path_from_names(cast("list[str]", known), ids), tuple(ids))


def _text(value: Any) -> str | None:  # noqa: ANN401  # whatever the JSON holds
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value.strip() else None


def _id(value: Any) -> str | None:  # noqa: ANN401  # whatever the JSON holds
    return None if value is None or value == "" else str(value)


def _price(value: Any) -> float | None:  # noqa: ANN401  # whatever the JSON holds
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if 0 <= price < float("inf") else None
