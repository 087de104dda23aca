"""Nearest neighbours: how similar each class's nearest training product is, and all their votes.

An inverted index maps each rarer word to the training products that have it, and the cosines of
TF-IDF vectors are summed over shared words (k nearest neighbours: Cover & Hart 1967). Every
neighbour votes, weighted by a power of its similarity, so there is no k to choose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.model.arrays import Arrays
from aisle.model.tfidf import Features

_SQUARINGS = 3
_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class NearestNeighbours(Arrays):
    """An inverted index of training products, which are ordered by class.

    `products` int64 (classes,) counts all training products of each class; the index holds `kept`
    int64 (classes,) of them, at least one. The postings of term t are at starts[t]:starts[t + 1]
    (`starts` int64 (terms + 1,)): `rows` int32 are the products that have it, `values` uint8 its
    TF-IDF there, scaled so that a product's vector has length 255.
    """

    KINDS: ClassVar[Mapping[str, tuple[int, str]]] = {
        "products": (1, "int64"),
        "kept": (1, "int64"),
        "starts": (1, "int64"),
        "rows": (1, "int32"),
        "values": (1, "uint8"),
    }

    products: NDArray[np.int64]
    kept: NDArray[np.int64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: NDArray[np.uint8]

    def similarities(self, features: Features) -> NDArray[np.float32]:
        """Return the cosine of each product with each neighbour: float32 (products, neighbours).

        Rounding may put the cosine of a product with itself slightly above 1.
        """
        size, neighbours = len(features.indptr) - 1, int(self.kept.sum())
        return self._flat_similarities(features)[:-1].reshape(size, neighbours)

    def _flat_similarities(self, features: Features) -> NDArray[np.float32]:
        """Return the similarities, product after product, and a zero after the last."""
        size, neighbours = len(features.indptr) - 1, int(self.kept.sum())
        firsts = self.starts[features.indices]
        lengths = self.starts[features.indices + 1] - firsts
        known = np.flatnonzero(lengths)
        firsts, lengths, weights = firsts[known], lengths[known], features.values[known]
        owners = np.repeat(np.arange(size), np.diff(features.indptr))[known]
        norms = np.sqrt(np.bincount(owners, weights * weights, minlength=size))
        weights /= (255 * np.maximum(norms, _SMALL)).astype(np.float32)[owners]
        # One posting for each pair of a product's term and a neighbour that shares it.
        ends = np.cumsum(lengths)
        postings = np.arange(ends[-1] if len(ends) else 0)
        postings += np.repeat(firsts - ends + lengths, lengths)
        shares = self.values[postings] * np.repeat(weights, lengths)
        pairs = np.repeat(owners * neighbours, lengths) + self.rows[postings]
        similarities = np.zeros(size * neighbours + 1, np.float32)
        np.add.at(similarities, pairs, shares)
        return similarities

    def nearest_and_votes(
        self, features: Features, classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return, for some classes, the nearest neighbour's similarity and the share of votes.

        `classes` are int64 (products, size). Returns the similarity of the nearest neighbour in
        each class and the class's share of the votes, both float32 (products, size), and the
        similarity of the nearest neighbour in any class, float32 (products,).
        """
        size, neighbours = len(classes), int(self.kept.sum())
        similarities = self._flat_similarities(features)
        edges = np.concatenate([[0], np.cumsum(self.kept)])
        row_starts = neighbours * np.arange(size)[:, None, None]
        # `reduceat` also reduces the gaps between one class's end and the next one's start: [::2]
        # leaves them out.
        bounds = (np.stack([edges[classes], edges[classes + 1]], axis=2) + row_starts).ravel()
        nearest = np.maximum.reduceat(similarities, bounds)[::2].reshape(classes.shape)
        by_product = similarities[:-1].reshape(size, neighbours)
        nearest_of_all = by_product.max(axis=1)
        for _ in range(_SQUARINGS):
            similarities *= similarities
        votes = np.add.reduceat(similarities, bounds)[::2].reshape(classes.shape)
        votes /= by_product.sum(axis=1, keepdims=True) + np.float32(_SMALL)
        return np.minimum(nearest, 1), votes, np.minimum(nearest_of_all, 1)
