"""What a catalogue is like, before anything is trained on it: figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from aisle.catalogue.products import LabelledProduct
from aisle.normalize import normalize
from aisle.product import FIELDS

SIZES = (1, 2, 5, 10, 20, 50, 100, 500)
_PERCENTILES = (5, 50, 95, 100)
_COMMONEST = 10


def describe(rows: Iterable[LabelledProduct]) -> dict[str, Any]:
    """Return counts of a catalogue as plain data.

    `levels` has the products and categories of each level of the path; `category_sizes` how many
    categories have at least so many products, and the share of the products in them; `missing` the
    products without a field; `characters` the percentiles of the texts' lengths; `repeated_texts`
    the products whose text another one has too, and `contradictory_texts` the texts that stand in
    several categories.
    """
    leaves: Counter[str] = Counter()
    levels: list[Counter[str]] = []
    missing = dict.fromkeys(FIELDS, 0)
    lengths: dict[str, list[int]] = {"name": [], "description": []}
    labels_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
    paths: dict[str, str] = {}
    products = 0
    for row in rows:
        products += 1
        leaf = row.path[-1].id
        leaves[leaf] += 1
        paths[leaf] = " > ".join(node.name for node in row.path)
        levels += [Counter() for _ in range(len(row.path) - len(levels))]
        for level, node in zip(levels, row.path, strict=False):
            level[node.id] += 1
        for field in FIELDS:
            missing[field] += getattr(row.product, field) is None
        for field, found in lengths.items():
            found.append(len(getattr(row.product, field) or ""))
        text = f"{normalize(row.product.name)} {normalize(row.product.description)}"
        labels_of[text][leaf] += 1

    sizes = np.array(sorted(leaves.values()), np.int64)
    return {
        "products": products,
        "categories": len(leaves),
        "levels": [
            {"level": at + 1, "products": level.total(), "categories": len(level)}
            for at, level in enumerate(levels)
        ],
        "category_sizes": [
            {
                "at_least": least,
                "categories": int((sizes >= least).sum()),
                "products": float(sizes[sizes >= least].sum() / max(1, products)),
            }
            for least in SIZES
        ],
        "commonest": [
            {"category": paths[leaf], "products": count}
            for leaf, count in leaves.most_common(_COMMONEST)
        ],
        "missing": missing,
        "characters": {
            field: {str(at): int(np.percentile(found, at)) for at in _PERCENTILES} if found else {}
            for field, found in lengths.items()
        },
        "repeated_texts": sum(one.total() for one in labels_of.values() if one.total() > 1),
        "contradictory_texts": sum(len(one) > 1 for one in labels_of.values()),
        "sizes": sizes.tolist(),
    }
