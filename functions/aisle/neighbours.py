"""Training products that resemble a product: how near each class's nearest is, and their votes.

An inverted index of the rarer words: what a product shares with a training product is looked up by
term, and the cosine of their TF-IDF vectors adds up (k nearest neighbours: Cover & Hart 1967; here
every neighbour votes, by a power of its similarity, so that no k has to be chosen).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.arrays import Arrays
from aisle.features import Features

_SQUARINGS = 3
_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Neighbours(Arrays):
    """An inverted index of training products, ordered by class.

    `products` int64 (classes,) counts all training products of each class; of these the index holds
    `kept` int64 (classes,), at least one. The postings of term t are at starts[t]:starts[t + 1]
    (`starts` int64 (terms + 1,)): `rows` int32 the products that have it, `values` uint8 its
    TF-IDF there, where a product's whole vector has length 255.
    """

    products: NDArray[np.int64]
    kept: NDArray[np.int64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: NDArray[np.uint8]

    def similarities(self, features: Features) -> NDArray[np.float32]:
        """Return the cosine of each product with each neighbour: float32 (products, neighbours)."""
        size, many = len(features.indptr) - 1, int(self.kept.sum())
        firsts = self.starts[features.indices]
        lengths = self.starts[features.indices + 1] - firsts
        known = np.flatnonzero(lengths)
        firsts, lengths, weights = firsts[known], lengths[known], features.values[known]
        owners = np.repeat(np.arange(size), np.diff(features.indptr))[known]
        norms = np.sqrt(np.bincount(owners, weights * weights, minlength=size))
        weights /= (255 * np.maximum(norms, _SMALL)).astype(np.float32)[owners]
        # One position in the postings for each (term of a product, product that shares it).
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(firsts - ends + lengths, lengths)
        shares = self.values[at] * np.repeat(weights, lengths)
        places = np.repeat(owners * many, lengths) + self.rows[at]
        found = np.zeros(size * many, np.float32)
        np.add.at(found, places, shares)
        return np.minimum(found, 1, out=found).reshape(size, many)

    def nearest_and_votes(
        self, features: Features
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the similarity of each class's nearest product, and the classes' shares of votes.

        Both are float32 (products, classes).
        """
        similarities = self.similarities(features)
        starts = np.cumsum(self.kept) - self.kept
        nearest = np.maximum.reduceat(similarities, starts, axis=1)
        for _ in range(_SQUARINGS):
            similarities *= similarities
        votes = np.add.reduceat(similarities, starts, axis=1)
        votes /= votes.sum(axis=1, keepdims=True) + np.float32(_SMALL)
        return nearest, votes
