"""The protocol: which products, folds, inputs and labels, the same for every candidate."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.catalogue.columns import Columns
from aisle.catalogue.products import LabelledProduct, to_labelled
from aisle.catalogue.records import read_records
from aisle.errors import DataError, InvalidProductError
from aisle.normalize import normalize
from aisle.product import FIELDS, Product, only
from aisle.product import Path as CategoryPath
from aisle_training.release.measure import OTHER

VERSION = 1
"""Part of every result's name: raise it where the protocol changes."""
FOLDS = 5
LEVEL = 3
MINIMA = (100, 20)
"""The usual folding: a table for each, classes of fewer products are `other`."""
UNFOLDED = 1
"""Folds nothing: every category is a class of its own."""
SMALL_SHOP = 5000
"""A shop of fewer products is compared unfolded where folding leaves too little of it."""
ENOUGH_LEFT = 0.5
INPUTS = {
    "text": ("name", "description"),
    "attributes": FIELDS,
}
_SALT = "cv"
_LEAST_CLASSES = 2


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Labelled products with what the protocol makes of them, row by row.

    `groups` are hashes of the normalised description (the name where there is none): variants of a
    product share theirs, and a group is in one of the `folds` only. `labels` are the ids of the
    categories at level 3, or of the last one where the path is shorter. `types` are what the shop's
    column `type` says, empty where it has none; no candidate is given them. `shop_size` is how many
    products the shop has, where the rows are a sample of them too.
    """

    rows: tuple[LabelledProduct, ...]
    groups: tuple[str, ...]
    folds: NDArray[np.int64]
    labels: tuple[str, ...]
    sha256: str
    types: tuple[str, ...] = ()
    shop_size: int = 0

    @property
    def id(self) -> str:
        """The name of the data: the beginning of its hash."""
        return self.sha256[:12]

    def split(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows to train on and those to score, int64 each."""
        return np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)

    def products(self, rows: NDArray[np.int64], inputs: str) -> list[Product]:
        """Return the products of some rows with the fields that the inputs allow."""
        return [only(self.rows[row].product, INPUTS[inputs]) for row in rows]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the comparison: classes of fewer than `min_products` are `other`.

    `other` is the last class, also of a table that folds nothing.
    """

    min_products: int
    inputs: str
    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """A short name, such as `100-text` or `unfolded-text`."""
        return f"{'unfolded' if self.unfolded else self.min_products}-{self.inputs}"

    @property
    def unfolded(self) -> bool:
        """Whether every category is a class of its own."""
        return self.min_products <= UNFOLDED

    def targets(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of each label's class, the last one's for `other`: int64 (labels,)."""
        numbers = {label: number for number, label in enumerate(self.classes)}
        other = len(self.classes) - 1
        return np.array([numbers.get(label, other) for label in labels], np.int64)

    def fold(
        self, labels: Sequence[str], probabilities: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Sum the probabilities of fine classes (n, labels) up to the table's: (n, classes)."""
        member = np.zeros((len(labels), len(self.classes)), np.float32)
        member[np.arange(len(labels)), self.targets(labels)] = 1
        return probabilities @ member


@dataclass(frozen=True, slots=True)
class Left:
    """What folding leaves: the shares of products and of categories that keep their own class."""

    min_products: int
    products: float
    categories: float

    @property
    def enough(self) -> bool:
        """Whether it is at least half of both."""
        return min(self.products, self.categories) >= ENOUGH_LEFT


def make_catalogue(
    rows: Sequence[LabelledProduct], types: Sequence[str] = (), *, shop_size: int | None = None
) -> Catalogue:
    """Group, fold and label products; raise DataError for too few groups to make the folds of.

    `shop_size` is how many products the shop has, where the rows are a sample of them.
    """
    groups = [group_of(row.product) for row in rows]
    folds = np.array([fold_of(group) for group in groups], np.int64)
    if len(set(folds.tolist())) < FOLDS:
        raise DataError(
            f"The products cannot be compared on: {len(rows)} products with "
            f"{len(set(groups))} different texts were given. Expected enough for {FOLDS} folds, a "
            "hundred at least. Give more products."
        )
    digest = hashlib.sha256()
    for row in rows:
        ids = [node.id for node in row.path]
        line = json.dumps([asdict(row.product), ids], sort_keys=True)
        digest.update(line.encode() + b"\n")
    return Catalogue(
        rows=tuple(rows),
        groups=tuple(groups),
        folds=folds,
        labels=tuple(label_of(row.path) for row in rows),
        sha256=digest.hexdigest(),
        types=tuple(types),
        shop_size=len(rows) if shop_size is None else shop_size,
    )


def read_types(source: Path, columns: Columns) -> list[str]:
    """Return the column `type` of a file's usable rows, "" where there is none."""
    types = []
    for record in read_records(source, columns=columns, needs=("category",)):
        with suppress(InvalidProductError):
            to_labelled(record)
            said = record.raw.get("type") if isinstance(record.raw, dict) else None
            types.append(said if isinstance(said, str) else "")
    return types


def sample(rows: Sequence[LabelledProduct], most: int) -> list[LabelledProduct]:
    """Return about `most` of the products: whole groups, drawn by their hash."""
    share = most / max(1, len(rows))
    return [row for row in rows if int(group_of(row.product)[-8:], 16) / 2**32 < share]


def group_of(product: Product) -> str:
    """Return the hash of a product's normalised description, of its name where there is none."""
    text = normalize(product.description) or normalize(product.name)
    return hashlib.sha256((_SALT + text).encode("utf-8", "surrogatepass")).hexdigest()


def fold_of(group: str) -> int:
    """Return the fold of a group; it stays the same as data grows."""
    return int(group[:8], 16) % FOLDS


def label_of(path: CategoryPath) -> str:
    """Return the id of the category at level 3, or of the last one before."""
    return path[:LEVEL][-1].id


def make_table(catalogue: Catalogue, min_products: int, inputs: str) -> Table | None:
    """Return a table, classes in order of their ids and `other` last; None for a single class."""
    counts = Counter(catalogue.labels)
    kept = sorted(label for label, count in counts.items() if count >= min_products)
    classes = len(kept) + any(count < min_products for count in counts.values())
    if classes < _LEAST_CLASSES:
        return None
    return Table(min_products, inputs, (*kept, OTHER))


def left_by(catalogue: Catalogue, min_products: int) -> Left:
    """Return what folding classes of fewer products to `other` leaves of a catalogue."""
    counts = Counter(catalogue.labels)
    kept = [count for count in counts.values() if count >= min_products]
    return Left(min_products, sum(kept) / len(catalogue.labels), len(kept) / len(counts))


def too_little_left(catalogue: Catalogue) -> list[Left]:
    """Return which of the usual tables leave a small shop less than half; none for a large one."""
    if catalogue.shop_size >= SMALL_SHOP:
        return []
    return [left for minimum in MINIMA if not (left := left_by(catalogue, minimum)).enough]
