"""The nouns: what goes in (a product) and what comes out (a prediction)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class Product:
    """A product as a shop typed it; every field may be missing."""

    name: str | None = None
    description: str | None = None
    manufacturer: str | None = None
    price: float | None = None


FIELDS = tuple(field.name for field in fields(Product))


def only(product: Product, kept: Sequence[str]) -> Product:
    """Return a product with some of its fields, the others missing.

    >>> only(Product("Pan", price=30.0), ["name"])
    Product(name='Pan', description=None, manufacturer=None, price=None)
    """
    return replace(product, **{field: None for field in FIELDS if field not in kept})


@dataclass(frozen=True, slots=True)
class Category:
    """One node of a shop's taxonomy.

    `id` is the shop's own where it has one; otherwise the path of names down to this node, because
    names alone are not unique in real taxonomies.
    """

    id: str
    name: str


Path = tuple[Category, ...]
"""A category with its ancestors, root first."""


def path_from_names(names: Sequence[str], ids: Sequence[str | None] | None = None) -> Path:
    """Build a path, giving each node without an id its path of names as its id.

    >>> [node.id for node in path_from_names(["Audio", "Speakers"], ["a1", None])]
    ['a1', 'Audio > Speakers']
    """
    given = ids if ids is not None else [None] * len(names)
    return tuple(
        Category(own if own is not None else PATH_SEPARATOR.join(names[: depth + 1]), name)
        for depth, (name, own) in enumerate(zip(names, given, strict=True))
    )


def own_ids(path: Path) -> tuple[str | None, ...]:
    """Return the shop's own ids along a path, None where `path_from_names` had to make one.

    >>> own_ids(path_from_names(["Audio", "Speakers"], ["a1", None]))
    ('a1', None)
    """
    names = [node.name for node in path]
    made = [PATH_SEPARATOR.join(names[: depth + 1]) for depth in range(len(names))]
    return tuple(None if node.id == one else node.id for node, one in zip(path, made, strict=True))


@dataclass(frozen=True, slots=True)
class Scored:
    """A category as its path, and how sure the model is of it or what is below it (0 to 1)."""

    path: Path
    confidence: float

    @property
    def category(self) -> Category:
        """The node that the path ends in."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fragment of the input that spoke for the predicted category.

    `start` and `end` count code points in the field as it was typed; `weight` is the fragment's
    share of all that spoke for the category (0 to 1).
    """

    field: str
    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of one product.

    `category` is always the deepest best one; `levels` its path with the rolled-up confidence of
    every node; `answer` the deepest level sure enough to show, or None; `needs_review` whether
    `answer` stops short of `category`.
    """

    category: Scored
    levels: tuple[Scored, ...]
    answer: Scored | None
    needs_review: bool
    alternatives: tuple[Scored, ...]
    evidence: tuple[Evidence, ...]
    model_version: str
