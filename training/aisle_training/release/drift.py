"""How new feedback differs from what the champion was trained on."""

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
    """Compare products of new feedback with the snapshot's: what they are, and how well known.

    `class_mix` is the total variation distance of the shares of the first level's categories (0 the
    same, 1 nothing in common), with those that differ most; `unknown_words` the share of words that
    are not in the champion's vocabulary; `confidence` the champion's mean.
    """
    if not new or not snapshot:
        return {"products": len(new)}
    before, after = _shares(snapshot), _shares(new)
    moved = {
        name: (before.get(name, 0.0), after.get(name, 0.0)) for name in before.keys() | after.keys()
    }
    biggest = sorted(moved.items(), key=lambda one: (-abs(one[1][1] - one[1][0]), one[0]))
    known = _known_words(champion.bundle)
    return {
        "products": len(new),
        "class_mix": sum(abs(a - b) for a, b in moved.values()) / 2,
        "categories": [
            {"name": name, "snapshot": a, "feedback": b} for name, (a, b) in biggest[:_BIGGEST]
        ],
        "unknown_words": {
            "snapshot": _unknown(snapshot, known),
            "feedback": _unknown(new, known),
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


def _unknown(examples: Sequence[Example], known: frozenset[str]) -> float:
    found = [
        word
        for example in examples
        for word in [*words(example.product.name), *words(example.product.description)]
    ]
    return sum(word not in known for word in found) / len(found) if found else 0.0
