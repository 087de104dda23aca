"""The second stage: what tells a product's best few candidates apart, as numbers for trees.

The linear scorers say which categories a product may be in; they take no notice of how common a
category is, how far its scorers can be trusted, which products it resembles most, or what its
products are usually like. A gradient-boosted tree model (LightGBM: Ke et al. 2017) weighs all that
for each candidate; its outputs share out the probability anew.
"""

from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from aisle.model.hierarchy import Structure, structure
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.knn import Neighbours
from aisle.model.rerank.naive_bayes import Likelihoods
from aisle.model.tfidf import Features
from aisle.normalize import words
from aisle.product import Product
from aisle.taxonomy import Taxonomy

MOST_CANDIDATES = 8
FEATURES = (
    "log_probability",
    "behind_best",
    "ahead_of_next",
    "rank",
    "probability_level_1",
    "probability_level_2",
    "probability_level_3",
    "probability_here_or_below",
    "margin_level_1",
    "margin_level_2",
    "margin_level_3",
    "margin_own",
    "log_products",
    "share_of_parent",
    "path_length",
    "entropy",
    "words",
    "log_price",
    "vote",
    "vote_level_3",
    "nearest",
    "nearest_of_all",
    "text_likelihood",
    "manufacturer_likelihood",
    "price_likelihood",
)
_LEVELS = 3
_SMALL = 1e-9


class Shortlist:
    """Describe each product's most probable classes, and share the probability between them."""

    def __init__(
        self, taxonomy: Taxonomy, neighbours: Neighbours, likelihoods: Likelihoods
    ) -> None:
        self._taxonomy = taxonomy
        self._structure: Structure = structure(taxonomy)
        self._neighbours = neighbours
        self._likelihoods = likelihoods
        self.size = min(MOST_CANDIDATES, len(taxonomy.classes))

        lengths = (taxonomy.ancestors >= 0).sum(axis=1)
        at = np.minimum(np.arange(_LEVELS), lengths[:, None] - 1)
        self._nodes = np.take_along_axis(taxonomy.ancestors, at, axis=1)
        own = self._structure.slots.shape[1] - 1
        self._slots = np.concatenate([at, np.full((len(lengths), 1), own)], axis=1)
        rows = np.arange(len(lengths))[:, None]
        self._scorers = self._structure.slots[rows, self._slots]
        self._used = self._structure.used[rows, self._slots]
        self._fixed = np.stack(
            [
                np.log1p(neighbours.products),
                _share_of_parent(taxonomy, neighbours.products),
                lengths,
            ],
            axis=1,
        ).astype(np.float32)

    def candidates(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the most probable classes, best first: int64 (products, size)."""
        if self.size == probabilities.shape[1]:
            best = np.broadcast_to(np.arange(self.size), probabilities.shape)
        else:
            best = np.argpartition(-probabilities, self.size - 1, axis=1)[:, : self.size]
        best = np.sort(best, axis=1)
        order = np.argsort(-np.take_along_axis(probabilities, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1)

    def features(
        self,
        products: Sequence[Product],
        features: Features,
        candidates: NDArray[np.int64],
        *,
        probabilities: NDArray[np.float32],
        margins: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return `FEATURES` of each candidate: float32 (products, size, features).

        `features` are those of the products, `probabilities` (products, classes) and `margins`
        (products, scorers) what the linear stage made of them.
        """
        rows = np.arange(len(products))[:, None]
        found = probabilities[rows, candidates]
        logs = np.log(found + np.float32(_SMALL))
        entropy = -(probabilities * np.log(probabilities + np.float32(_SMALL))).sum(axis=1)
        rolled = self._taxonomy.roll_up(probabilities)
        nodes = self._nodes[candidates]
        first, last = self._taxonomy.classes_below(nodes[:, :, -1])
        nearest, votes, nearest_of_all = self._neighbours.nearest_and_votes(
            features,
            np.concatenate([candidates, first], axis=1),
            np.concatenate([candidates + 1, last], axis=1),
        )
        size = candidates.shape[1]
        at = rows[:, :, None]
        every = np.ones(candidates.shape, np.float32)
        ranks = np.arange(candidates.shape[1], dtype=np.float32)
        described = _describe(products)
        parts = [
            logs,
            logs - logs[:, :1],
            logs - np.concatenate([logs[:, 1:], logs[:, -1:]], axis=1),
            ranks * every,
            rolled[at, nodes],
            rolled[rows, self._taxonomy.ends[candidates]],
            np.where(self._used[candidates], margins[at, self._scorers[candidates]], np.float32(0)),
            self._fixed[candidates],
            entropy[:, None] * every,
            described[:, None, :] * every[:, :, None],
            votes[:, :size],
            votes[:, size:],
            nearest[:, :size],
            nearest_of_all[:, None] * every,
            self._likelihoods.log_ratios(products, candidates),
        ]
        wide = [part if part.ndim == 3 else part[:, :, None] for part in parts]  # noqa: PLR2004  # products, candidates, features
        return np.concatenate(wide, axis=2, dtype=np.float32)

    def share_out(
        self,
        probabilities: NDArray[np.float32],
        candidates: NDArray[np.int64],
        scores: NDArray[np.float32],
        outside: Outside,
    ) -> NDArray[np.float32]:
        """Return probabilities in which the candidates share theirs by softmax of their scores.

        How much is theirs, `outside` decides.
        """
        rows = np.arange(len(probabilities))[:, None]
        out = probabilities.copy()
        out[rows, candidates] = 0
        rest = out.sum(axis=1, keepdims=True)
        calibrated = outside.calibrate(rest)
        out *= calibrated / np.maximum(rest, np.float32(_SMALL))
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        out[rows, candidates] = (1 - calibrated) * shares / shares.sum(axis=1, keepdims=True)
        return out


def _share_of_parent(taxonomy: Taxonomy, products: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's share of the products in and below its parent: float64 (classes,)."""
    below = np.zeros(len(taxonomy.nodes))
    for label, nodes in enumerate(taxonomy.ancestors):
        below[nodes[nodes >= 0]] += products[label]
    lengths = (taxonomy.ancestors >= 0).sum(axis=1)
    parents = taxonomy.ancestors[np.arange(len(lengths)), np.maximum(lengths - 2, 0)]
    whole = np.where(lengths > 1, below[parents], products.sum())
    return np.asarray(products / np.maximum(whole, 1))


def _describe(products: Sequence[Product]) -> NDArray[np.float32]:
    """Return what is known of products besides their terms: float32 (products, 2).

    Not which fields it has: where part of a catalogue came through another system, that tells who
    labelled a product, not what it is.
    """
    lengths = [len(words(one.name)) + len(words(one.description)) for one in products]
    prices = [nan if one.price is None else one.price for one in products]
    known = np.log1p(np.array(prices, np.float64))
    return np.stack([lengths, np.where(np.isnan(known), -1, known)], axis=1).astype(np.float32)
