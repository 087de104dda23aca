"""Training products that resemble a product: how near each class's nearest is, and their votes.

An inverted index of the rarer words: what a product shares with a training product is looked up by
term, and the cosine of their TF-IDF vectors adds up (k nearest neighbours: Cover & Hart 1967; here
every neighbour votes, by a power of its similarity, so that no k has to be chosen).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.model.arrays import Arrays
from aisle.model.tfidf import Features

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
        """Return the cosine of each product with each neighbour: float32 (products, neighbours).

        Of a product with itself it may be more than 1 by what was rounded.
        """
        size, many = len(features.indptr) - 1, int(self.kept.sum())
        return self._in_a_row(features)[:-1].reshape(size, many)

    def _in_a_row(self, features: Features) -> NDArray[np.float32]:
        """Return the similarities, product by product, and a zero after the last."""
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
        found = np.zeros(size * many + 1, np.float32)
        np.add.at(found, places, shares)
        return found

    def nearest_and_votes(
        self, features: Features, first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return what each product's neighbours say of some runs of classes.

        `first` and `last` int64 (products, runs) are the first class of each run and the one after
        its last. Returns the similarity of the nearest neighbour in each run, the runs' shares of
        the votes, both float32 (products, runs), and the similarity of the nearest of all, float32
        (products,).
        """
        size, many = len(first), int(self.kept.sum())
        found = self._in_a_row(features)
        edges = np.concatenate([[0], np.cumsum(self.kept)])
        runs = np.stack([edges[first], edges[last]], axis=2) + many * np.arange(size)[:, None, None]
        # Between a run's end and the next one's beginning something is added up, too: every other.
        bounds = runs.ravel()
        nearest = np.maximum.reduceat(found, bounds)[::2].reshape(first.shape)
        by_product = found[:-1].reshape(size, many)
        nearest_of_all = by_product.max(axis=1)
        for _ in range(_SQUARINGS):
            found *= found
        votes = np.add.reduceat(found, bounds)[::2].reshape(first.shape)
        votes /= by_product.sum(axis=1, keepdims=True) + np.float32(_SMALL)
        return np.minimum(nearest, 1), votes, np.minimum(nearest_of_all, 1)
