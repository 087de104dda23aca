"""Descriptive statistics of a catalogue, before anything is trained on it."""

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
    """Return statistics of a catalogue as plain data.

    `levels` has the number of products and categories at each level of the path; `category_sizes`
    how many categories have at least so many products, and their share of all products; `missing`
    the number of products without each field; `characters` percentiles of the texts' lengths;
    `repeated_texts` the number of products that share their text with another, and
    `contradictory_texts` the number of texts that appear in several categories.
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
        for field, counts in lengths.items():
            counts.append(len(getattr(row.product, field) or ""))
        text = f"{normalize(row.product.name)} {normalize(row.product.description)}"
        labels_of[text][leaf] += 1

    sizes = np.array(sorted(leaves.values()), np.int64)
    return {
        "products": products,
        "categories": len(leaves),
        "levels": [
            {"level": depth, "products": level.total(), "categories": len(level)}
            for depth, level in enumerate(levels, start=1)
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
            field: {str(q): int(np.percentile(counts, q)) for q in _PERCENTILES} if counts else {}
            for field, counts in lengths.items()
        },
        "repeated_texts": sum(
            labels.total() for labels in labels_of.values() if labels.total() > 1
        ),
        "contradictory_texts": sum(len(labels) > 1 for labels in labels_of.values()),
        "sizes": sizes.tolist(),
    }
