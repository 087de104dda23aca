"""Drift: how new feedback differs from the snapshot that the champion was trained on."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from aisle.model.bundle import VOCABULARY, Bundle
from aisle.normalize import words
from aisle_training.data.prepare import Example
from aisle_training.release.contender import Contender

_BIGGEST = 10


def drift(
    champion: Contender, snapshot: Sequence[Example], new: Sequence[Example]
) -> dict[str, Any]:
    """Compare the products of new feedback with the snapshot's.

    `class_mix` is the total variation distance of the distributions over first-level categories (0
    for equal, 1 for disjoint), and `categories` lists those that differ most. `unknown_words` is
    the share of words outside the champion's vocabulary, `confidence` the champion's mean
    confidence, each for both sets.
    """
    if not new or not snapshot:
        return {"products": len(new)}
    before, after = _shares(snapshot), _shares(new)
    shares = {
        name: (before.get(name, 0.0), after.get(name, 0.0)) for name in before.keys() | after.keys()
    }
    biggest = sorted(
        ((name, old, new) for name, (old, new) in shares.items()),
        key=lambda row: (-abs(row[2] - row[1]), row[0]),
    )
    known = _known_words(champion.bundle)
    return {
        "products": len(new),
        "class_mix": sum(abs(old - new) for old, new in shares.values()) / 2,
        "categories": [
            {"name": name, "snapshot": old, "feedback": new}
            for name, old, new in biggest[:_BIGGEST]
        ],
        "unknown_words": {
            "snapshot": _unknown_share(snapshot, known),
            "feedback": _unknown_share(new, known),
        },
        "confidence": {
            "snapshot": float(np.mean(champion.answers(snapshot).confidences)),
            "feedback": float(np.mean(champion.answers(new).confidences)),
        },
    }


def _shares(examples: Sequence[Example]) -> dict[str, float]:
    counts = Counter(example.path[0].name for example in examples)
    return {name: count / len(examples) for name, count in counts.items()}


def _known_words(bundle: Bundle) -> frozenset[str]:
    lines = bundle.files[VOCABULARY].decode().splitlines()
    return frozenset(line.partition("\t")[0][2:] for line in lines if line.startswith("w:"))


def _unknown_share(examples: Sequence[Example], known: frozenset[str]) -> float:
    all_words = [
        word
        for example in examples
        for word in [*words(example.product.name), *words(example.product.description)]
    ]
    unknown = sum(word not in known for word in all_words)
    return unknown / len(all_words) if all_words else 0.0
