"""Invariance tests: typography, colour and size must not change the predicted category."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import numpy as np

from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle_training.data.prepare import Example
from aisle_training.release.measure import Answers

_CONFIDENT: Final = 0.5
_TIMED: Final = 50
TYPED: Final[dict[str, Callable[[str], str]]] = {
    "capitals": str.upper,
    "punctuation": lambda text: f"- {text.replace(' ', ', ')}!",
}
_VARIANTS: Final[dict[str, Callable[[str], str]]] = {
    "colour": lambda text: f"{text} - Black",
    "size": lambda text: f"{text} (Large)",
}


def kept_shares(
    classifier: Classifier, rows: Sequence[Example], answers: Answers, count: int
) -> dict[str, float]:
    """Return the share of products that keep their category, for each way to rewrite them.

    `answers` are the model's for all rows; `count` of these are rewritten. Colours and sizes are
    added only to products with a confident answer. A share of no products is 1.
    """
    step = max(1, len(rows) // count)
    products = [row.product for row in rows[::step]][:count]
    if not products:
        return dict.fromkeys((*TYPED, *_VARIANTS), 1.0)
    before = answers.labels[::step][:count]
    confident = answers.highest[::step][:count] >= _CONFIDENT
    shares = {}
    for name, change in (TYPED | _VARIANTS).items():
        counted = confident if name in _VARIANTS else np.ones(len(products), bool)
        rewritten = [_rewrite(product, change, both=name in TYPED) for product in products]
        after = classifier.choose(classifier.predict_proba(rewritten))
        shares[name] = float((before == after)[counted].mean()) if counted.any() else 1.0
    return shares


def milliseconds(classifier: Classifier, rows: Sequence[Example]) -> float:
    """Return the median time to predict one product, in milliseconds; 0 without products."""
    times = []
    for row in rows[:_TIMED]:
        began = time.perf_counter()
        classifier.predict([row.product], explain=False)
        times.append(time.perf_counter() - began)
    return median(times) * 1e3 if times else 0.0


def _rewrite(product: Product, change: Callable[[str], str], *, both: bool) -> Product:
    """Rewrite a product's name, or its description where it has no name, or `both`."""
    name = product.name and change(product.name)
    if product.description and (both or not product.name):
        return replace(product, name=name, description=change(product.description))
    return replace(product, name=name)
