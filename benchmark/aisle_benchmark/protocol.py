"""The protocol: products, folds, inputs and labels, the same for every candidate."""

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
"""Part of every result's name: raise it when the protocol changes."""
FOLDS = 5
LEVEL = 3
MINIMA = (100, 20)
"""The default folding: one table each, in which classes of fewer products become `other`."""
UNFOLDED = 1
"""No folding: every category is a class of its own."""
SMALL_SHOP = 5000
"""A shop of fewer products is compared unfolded if folding retains too little of it."""
ENOUGH_RETAINED = 0.5
INPUTS = {
    "text": ("name", "description"),
    "attributes": FIELDS,
}
_SALT = "cv"
_LEAST_CLASSES = 2


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Labelled products with their groups, folds and labels, row by row.

    `groups` are hashes of the normalised description, or of the name if there is none: variants of
    a product share one, and each group is in one of the `folds` only. `labels` are the ids of the
    categories at level 3, or of the last one in a shorter path. `types` are the values of the
    shop's column `type`, empty without one; no candidate gets them. `shop_size` is the number of
    products in the shop, of which the rows may be a sample.
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
        """The name of the data: a prefix of its hash."""
        return self.sha256[:12]

    def split(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the training rows and the test rows of a fold, int64 each."""
        return np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)

    def products(self, rows: NDArray[np.int64], inputs: str) -> list[Product]:
        """Return the products of some rows with the fields that the inputs allow."""
        return [only(self.rows[row].product, INPUTS[inputs]) for row in rows]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the comparison: classes of fewer than `min_products` become `other`.

    `other` is always the last class, even in an unfolded table.
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
        """Whether every category is a class."""
        return self.min_products <= UNFOLDED

    def targets(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the class index of each label; `other` is the last: int64 (labels,)."""
        numbers = {label: number for number, label in enumerate(self.classes)}
        other = len(self.classes) - 1
        return np.array([numbers.get(label, other) for label in labels], np.int64)

    def fold(
        self, labels: Sequence[str], probabilities: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Sum the probabilities of fine classes (n, labels) into the table's: (n, classes)."""
        membership = np.zeros((len(labels), len(self.classes)), np.float32)
        membership[np.arange(len(labels)), self.targets(labels)] = 1
        return probabilities @ membership


@dataclass(frozen=True, slots=True)
class Retained:
    """The shares of products and of categories that keep their own class after folding."""

    min_products: int
    products: float
    categories: float

    @property
    def enough(self) -> bool:
        """Whether both are at least half."""
        return min(self.products, self.categories) >= ENOUGH_RETAINED


def make_catalogue(
    rows: Sequence[LabelledProduct], types: Sequence[str] = (), *, shop_size: int | None = None
) -> Catalogue:
    """Group, fold and label products; raise DataError if there are too few groups for the folds.

    `shop_size` is the number of products in the shop, if the rows are a sample of them.
    """
    groups = [group_of(row.product) for row in rows]
    folds = np.array([fold_of(group) for group in groups], np.int64)
    if len(set(folds.tolist())) < FOLDS:
        raise DataError(
            f"Cannot compare candidates on {len(rows)} products with {len(set(groups))} different "
            f"texts: there are too few for {FOLDS} folds. Expected at least a hundred. Give more "
            "products."
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
    """Return the column `type` of a file's valid rows, "" if a row has none."""
    types = []
    for record in read_records(source, columns=columns, needs=("category",)):
        with suppress(InvalidProductError):
            to_labelled(record)
            value = record.raw.get("type") if isinstance(record.raw, dict) else None
            types.append(value if isinstance(value, str) else "")
    return types


def sample(rows: Sequence[LabelledProduct], count: int) -> list[LabelledProduct]:
    """Return about `count` of the products: whole groups, selected by their hash."""
    share = count / max(1, len(rows))
    return [row for row in rows if int(group_of(row.product)[-8:], 16) / 2**32 < share]


def group_of(product: Product) -> str:
    """Return the hash of a product's normalised description, or of its name without one."""
    text = normalize(product.description) or normalize(product.name)
    return hashlib.sha256((_SALT + text).encode("utf-8", "surrogatepass")).hexdigest()


def fold_of(group: str) -> int:
    """Return the fold of a group; it does not change when data is added."""
    return int(group[:8], 16) % FOLDS


def label_of(path: CategoryPath) -> str:
    """Return the id of the category at level 3, or of the last one in a shorter path."""
    return path[:LEVEL][-1].id


def make_table(catalogue: Catalogue, min_products: int, inputs: str) -> Table | None:
    """Return a table with classes sorted by id and `other` last; None if it has one class only."""
    counts = Counter(catalogue.labels)
    kept = sorted(label for label, count in counts.items() if count >= min_products)
    classes = len(kept) + any(count < min_products for count in counts.values())
    if classes < _LEAST_CLASSES:
        return None
    return Table(min_products, inputs, (*kept, OTHER))


def retained_by(catalogue: Catalogue, min_products: int) -> Retained:
    """Return the shares that keep their own class if classes with fewer products become `other`."""
    counts = Counter(catalogue.labels)
    kept = [count for count in counts.values() if count >= min_products]
    return Retained(min_products, sum(kept) / len(catalogue.labels), len(kept) / len(counts))


def too_little_retained(catalogue: Catalogue) -> list[Retained]:
    """Return the default foldings that retain less than half of a small shop."""
    if catalogue.shop_size >= SMALL_SHOP:
        return []
    return [
        retained for minimum in MINIMA if not (retained := retained_by(catalogue, minimum)).enough
    ]
