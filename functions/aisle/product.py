"""The input and output types of the classifier: products and predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class Product:
    """A product as a shop typed it; any field may be missing."""

    name: str | None = None
    description: str | None = None
    manufacturer: str | None = None
    price: float | None = None


FIELDS = tuple(field.name for field in fields(Product))


def only(product: Product, kept: Sequence[str]) -> Product:
    """Return a product with only the fields in `kept`; the others are None.

    >>> only(Product("Pan", price=30.0), ["name"])
    Product(name='Pan', description=None, manufacturer=None, price=None)
    """
    return replace(product, **{field: None for field in FIELDS if field not in kept})


@dataclass(frozen=True, slots=True)
class Category:
    """One node of a shop's taxonomy.

    `id` is the shop's own id if it has one, otherwise the path of names down to this node, because
    names alone are not unique in real taxonomies.
    """

    id: str
    name: str


Path = tuple[Category, ...]
"""A category and its ancestors, root first."""


def path_from_names(names: Sequence[str], ids: Sequence[str | None] | None = None) -> Path:
    """Build a path; a node without an id gets its path of names as its id.

    >>> [node.id for node in path_from_names(["Audio", "Speakers"], ["a1", None])]
    ['a1', 'Audio > Speakers']
    """
    shop_ids = ids if ids is not None else [None] * len(names)
    return tuple(
        Category(shop_id if shop_id is not None else PATH_SEPARATOR.join(names[: depth + 1]), name)
        for depth, (name, shop_id) in enumerate(zip(names, shop_ids, strict=True))
    )


def own_ids(path: Path) -> tuple[str | None, ...]:
    """Return the shop's own ids along a path; None where `path_from_names` made up the id.

    >>> own_ids(path_from_names(["Audio", "Speakers"], ["a1", None]))
    ('a1', None)
    """
    names = [node.name for node in path]
    made_up = [PATH_SEPARATOR.join(names[: depth + 1]) for depth in range(len(names))]
    return tuple(
        None if node.id == name_path else node.id
        for node, name_path in zip(path, made_up, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """A category's path, and the model's confidence in it, its descendants included (0 to 1)."""

    path: Path
    confidence: float

    @property
    def category(self) -> Category:
        """The last node of the path."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fragment of the input that supports the predicted category.

    `start` and `end` count code points in the field as typed; `weight` is the fragment's share of
    all evidence for the category (0 to 1).
    """

    field: str
    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's prediction for one product.

    `category` is the most probable class, however unsure; `levels` is its path, with the rolled-up
    confidence of every node; `answer` is the deepest level confident enough to show, or None;
    `needs_review` tells whether `answer` is None or higher up than `category`.
    """

    category: Scored
    levels: tuple[Scored, ...]
    answer: Scored | None
    needs_review: bool
    alternatives: tuple[Scored, ...]
    evidence: tuple[Evidence, ...]
    model_version: str
