"""Examples -> the learning problem: products, their classes and sample weights."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aisle.errors import DataError
from aisle.model.hierarchy import Structure, structure
from aisle.product import Path, Product
from aisle.taxonomy import Entry, Taxonomy
from aisle_training import parameters
from aisle_training.data.prepare import Example, canonical_paths, fold_rare


@dataclass(frozen=True, slots=True)
class LearningProblem:
    """Products with their classes: `labels` int64 (products,), numbers in `taxonomy.classes`.

    `weights` float64 (products,) are the sample weights, 1 for an example. The first `distinct`
    products are the examples, the rest are copies of them with fields dropped. `class_of` maps a
    category's id to its class, which may be an ancestor that it is folded into.
    """

    products: tuple[Product, ...]
    distinct: int
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    taxonomy: Taxonomy
    structure: Structure
    class_of: dict[str, int]

    def label(self, path: Path) -> int:
        """Return the class of a path by the id of its last category, -1 for an unknown one."""
        return self.class_of.get(path[-1].id, -1)


def make_problem(
    examples: Sequence[Example],
    settings: parameters.FitParameters,
    *,
    min_products: int,
    others: Sequence[Example] = (),
) -> LearningProblem:
    """Fold rare classes, add copies with fields dropped, and number the classes.

    `others` are products that are not learnt from; their categories can be searched. Raises
    DataError where fewer than two classes remain.
    """
    canonical = canonical_paths([example.path for example in examples])
    counts = Counter(canonical[example.path[-1].id] for example in examples)
    folded = fold_rare(counts, min_products)
    classes = sorted(set(folded.values()), key=lambda path: [node.id for node in path])
    if len(classes) < 2:  # noqa: PLR2004  # fewer than two leave nothing to decide
        raise DataError(
            f"Too few categories to learn from: {len(classes)}, of {len(examples)} products that "
            "are not held out. Expected at least two. Give more products, or more categories."
        )
    number = {path: label for label, path in enumerate(classes)}
    class_of = {own: number[folded[path]] for own, path in canonical.items()}

    everything = [*examples, *others]
    # Where an id occurs under two parents, the products to learn from decide.
    known = canonical_paths([example.path for example in everything]) | canonical
    products = Counter(example.path[-1].id for example in everything)
    # Ancestors are categories too, whether or not a product is labelled so.
    for path in [*known.values(), *classes]:
        for depth in range(1, len(path)):
            known.setdefault(path[depth - 1].id, path[:depth])
    entries = [
        Entry(path, products[own], class_of.get(own, number.get(path)))
        for own, path in known.items()
    ]
    taxonomy = Taxonomy(classes, entries)

    rows = [(example.product, class_of[example.path[-1].id], 1.0) for example in examples]
    rows += [
        (copy, label, weight)
        for product, label, _ in rows
        for copy, weight in with_fields_dropped(product, settings)
    ]
    return LearningProblem(
        products=tuple(product for product, _, _ in rows),
        distinct=len(examples),
        labels=np.array([label for _, label, _ in rows], np.int64),
        weights=np.array([weight for _, _, weight in rows], np.float64),
        taxonomy=taxonomy,
        structure=structure(taxonomy),
        class_of=class_of,
    )


def with_fields_dropped(
    product: Product, settings: parameters.FitParameters
) -> Iterator[tuple[Product, float]]:
    """Yield, for a share of the products, a copy without some of its fields, and its sample weight.

    The weight is `copy_weight`, or 1 where a text is dropped and the copy reads differently. The
    choices are bits of the product's hash, so they do not depend on the other products.
    """
    digest = hashlib.sha256(repr(product).encode()).digest()
    if digest[0] >= 256 * settings.field_dropout:
        return
    copy, weight = product, settings.copy_weight
    if product.name and product.description:
        dropped = "name" if digest[1] & 1 else "description"
        copy, weight = replace(copy, **{dropped: None}), 1.0
    if digest[1] & 2:
        copy = replace(copy, manufacturer=None)
    if digest[1] & 4:
        copy = replace(copy, price=None)
    if copy != product:
        yield copy, weight
