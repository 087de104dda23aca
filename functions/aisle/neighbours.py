"""Training products that resemble a product: how near each class's nearest is, and their votes.

An inverted index of the rarer words: what a product shares with a training product is looked up by
term, and the cosine of their TF-IDF vectors adds up (k nearest neighbours: Cover & Hart 1967; here
every neighbour votes, by a power of its similarity, so that no k has to be chosen).
"""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.features import Features

_SQUARINGS = 3
_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Neighbours:
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
        owners = np.repeat(np.arange(size), np.diff(features.indptr))
        known = lengths > 0
        weights = features.values * known
        norms = np.sqrt(np.bincount(owners, weights * weights, minlength=size))
        # One position in the postings for each (term of a product, product that shares it).
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(firsts - ends + lengths, lengths)
        found = self.values[at] * np.repeat(weights, lengths)
        places = np.repeat(owners * many, lengths) + self.rows[at]
        dots = np.bincount(places, found, minlength=size * many).reshape(size, many)
        scaled = dots.astype(np.float32)
        scaled /= (255 * np.maximum(norms, _SMALL)).astype(np.float32)[:, None]
        return np.minimum(scaled, 1, out=scaled)

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

    def to_bytes(self) -> bytes:
        """Return the arrays, one after another, as NumPy writes them."""
        buffer = io.BytesIO()
        for name in self.__slots__:
            np.save(buffer, getattr(self, name), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raise BundleError where it is something else."""
        buffer = io.BytesIO(data)
        try:
            return cls(**{name: np.load(buffer, allow_pickle=False) for name in cls.__slots__})
        except (EOFError, ValueError) as error:
            raise BundleError(
                f"The bundle's neighbours cannot be read: {error}. Export the model again."
            ) from error
