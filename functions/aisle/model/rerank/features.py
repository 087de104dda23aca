"""The features by which the second stage compares a product's candidates.

`docs/FEATURES.md` has the table: each feature's formula, its source, and what the model loses
without it. Everything is computed from the linear stage's output, the nearest neighbours, naive
Bayes, counts of the training products, and the product itself.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.model.hierarchy import structure
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.model.tfidf import Features
from aisle.normalize import words
from aisle.product import Product
from aisle.taxonomy import Taxonomy

FEATURES = (
    "log_probability",
    "behind_best",
    "probability_level_1",
    "probability_level_2",
    "probability_level_3",
    "margin_level_1",
    "margin_level_2",
    "margin_level_3",
    "margin_own",
    "log_products",
    "share_of_parent",
    "words",
    "vote",
    "nearest",
    "nearest_of_all",
    "text_likelihood",
    "manufacturer_likelihood",
    "price_likelihood",
)
_LEVELS = 3
_SMALL = 1e-9


class CandidateFeatures:
    """Computes the features of candidates, of one model."""

    count: ClassVar = len(FEATURES)
    """The number of features."""

    def __init__(
        self, taxonomy: Taxonomy, neighbours: NearestNeighbours, naive_bayes: NaiveBayesRatios
    ) -> None:
        self._taxonomy = taxonomy
        self._neighbours = neighbours
        self._naive_bayes = naive_bayes

        nodes = structure(taxonomy)
        lengths = (taxonomy.ancestors >= 0).sum(axis=1)
        # A class whose path ends above a level repeats its last node there.
        levels = np.minimum(np.arange(_LEVELS), lengths[:, None] - 1)
        self._nodes = np.take_along_axis(taxonomy.ancestors, levels, axis=1)
        own = nodes.slots.shape[1] - 1
        slots = np.concatenate([levels, np.full((len(lengths), 1), own)], axis=1)
        classes = np.arange(len(lengths))[:, None]
        self._svms = nodes.slots[classes, slots]
        self._used = nodes.used[classes, slots]
        self._of_classes = np.stack(
            [
                np.log1p(neighbours.products),
                _share_of_parent(taxonomy, neighbours.products),
            ],
            axis=1,
        ).astype(np.float32)

    def compute(
        self,
        products: Sequence[Product],
        features: Features,
        candidates: NDArray[np.int64],
        *,
        probabilities: NDArray[np.float32],
        margins: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return `FEATURES` of each candidate: float32 (products, size, features).

        `features` are those of the products, `candidates` int64 (products, size) classes, best
        first; `probabilities` (products, classes) and `margins` (products, svms) are the linear
        stage's output.
        """
        rows = np.arange(len(products))[:, None]
        logs = np.log(probabilities[rows, candidates] + np.float32(_SMALL))
        rolled = self._taxonomy.roll_up(probabilities)
        nodes = self._nodes[candidates]
        nearest, votes, nearest_of_all = self._neighbours.nearest_and_votes(features, candidates)
        deep_rows = rows[:, :, None]
        ones = np.ones(candidates.shape, np.float32)
        svms = self._svms[candidates]
        columns = [
            logs,
            logs - logs[:, :1],
            rolled[deep_rows, nodes],
            np.where(self._used[candidates], margins[deep_rows, svms], np.float32(0)),
            self._of_classes[candidates],
            _word_counts(products)[:, None] * ones,
            votes,
            nearest,
            nearest_of_all[:, None] * ones,
            self._naive_bayes.log_ratios(products, candidates),
        ]
        deep = [column.reshape(*candidates.shape, -1) for column in columns]
        return np.concatenate(deep, axis=2, dtype=np.float32)


def _share_of_parent(taxonomy: Taxonomy, products: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's share of the products in and below its parent: float64 (classes,)."""
    below = np.zeros(len(taxonomy.nodes))
    for label, nodes in enumerate(taxonomy.ancestors):
        below[nodes[nodes >= 0]] += products[label]
    lengths = (taxonomy.ancestors >= 0).sum(axis=1)
    parents = taxonomy.ancestors[np.arange(len(lengths)), np.maximum(lengths - 2, 0)]
    whole = np.where(lengths > 1, below[parents], products.sum())
    return np.asarray(products / np.maximum(whole, 1))


def _word_counts(products: Sequence[Product]) -> NDArray[np.float32]:
    """Return the number of words of name and description together: float32 (products,).

    Not which of the two has them: in a catalogue merged from several systems, that shows who
    labelled a product, not what it is.
    """
    counts = [len(words(product.name)) + len(words(product.description)) for product in products]
    return np.array(counts, np.float32)
