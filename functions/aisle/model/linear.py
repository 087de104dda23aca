"""The linear stage: a product's features times sparse weights, summed to a score per class.

The weights are 8-bit integers in compressed sparse rows (one row per term), since all but a few per
cent are zero. Sums are accumulated term by term in float64, so that a product's result does not
depend on the batch: the second stage's trees compare with thresholds, where the last bit can
decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.model.arrays import Arrays
from aisle.model.hierarchy import class_scores
from aisle.model.tfidf import Features

# Products multiplied together. More would be no faster, and need memory for each of their weights.
_CHUNK = 8


@dataclass(frozen=True, slots=True)
class LinearStage(Arrays):
    """One linear SVM per node of the taxonomy, and how their margins make a class's score.

    The weights of term t are `data` int8 at indptr[t]:indptr[t + 1] (`indptr` int64 (terms + 1,)),
    those of the SVMs `indices` uint16 or int32 there, each times `scale` float32 (terms,).
    `vector_weights` float32 (svms, dimensions) are those of the product's vector, `intercepts`
    float32 (svms,). A class's score is the sum of the margins of the SVMs `slots` int64
    (classes, slots), each times its `slot_weights` float32 (classes, slots).
    """

    KINDS: ClassVar[Mapping[str, tuple[int, str]]] = {
        "indptr": (1, "int64"),
        "indices": (1, "uint16|int32"),
        "data": (1, "int8"),
        "scale": (1, "float32"),
        "vector_weights": (2, "float32"),
        "intercepts": (1, "float32"),
        "slots": (2, "int64"),
        "slot_weights": (2, "float32"),
    }

    indptr: NDArray[np.int64]
    indices: NDArray[np.uint16] | NDArray[np.int32]
    data: NDArray[np.int8]
    scale: NDArray[np.float32]
    vector_weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    slots: NDArray[np.int64]
    slot_weights: NDArray[np.float32]

    def margins(self, features: Features) -> NDArray[np.float32]:
        """Return the margin of each SVM: float32 (products, svms)."""
        products, svms = len(features.indptr) - 1, len(self.intercepts)
        margins = np.empty((products, svms), np.float32)
        for start in range(0, products, _CHUNK):
            part = features.rows(start, min(start + _CHUNK, products))
            lengths, positions, values = self._weights_of(part)
            starts = np.repeat(np.arange(len(part.vectors)) * svms, np.diff(part.indptr))
            columns = np.repeat(starts, lengths) + self.indices[positions]
            sums = np.bincount(columns, values, minlength=len(part.vectors) * svms)
            # Not BLAS: its result for a product depends on the batch and on the number of threads.
            of_vectors = np.einsum("nd,sd->ns", part.vectors, self.vector_weights)
            margins[start : start + _CHUNK] = sums.reshape(-1, svms) + of_vectors + self.intercepts
        return margins

    def probabilities(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return softmax of the classes' scores: float32 (products, classes)."""
        scores = class_scores(margins, self.slots, self.slot_weights)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def contributions(self, features: Features, label: int) -> NDArray[np.float64]:
        """Return what each term of the features adds to the score of a class: float64 (terms,)."""
        weight_of = np.zeros(len(self.intercepts))
        np.add.at(weight_of, self.slots[label], self.slot_weights[label])
        lengths, positions, values = self._weights_of(features)
        owners = np.repeat(np.arange(len(lengths)), lengths)
        added = values * weight_of[self.indices[positions]]
        return np.asarray(np.bincount(owners, added, minlength=len(features.indices)), np.float64)

    def direction(self, label: int) -> NDArray[np.float32]:
        """Return what a unit of each dimension of the vector adds to the score of a class."""
        return np.asarray(self.slot_weights[label] @ self.vector_weights[self.slots[label]])

    def _weights_of(
        self, features: Features
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Look up all weights of the features' terms.

        Returns the number of weights of each term, and for each weight, term after term, its
        position in `data` and the term's value times the weight.
        """
        first = self.indptr[features.indices]
        lengths = self.indptr[features.indices + 1] - first
        ends = np.cumsum(lengths)
        positions = np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.int64)
        positions += np.repeat(first - ends + lengths, lengths)
        scaled = features.values * self.scale[features.indices]
        values = np.asarray(np.repeat(scaled, lengths) * self.data[positions], np.float32)
        return lengths, positions, values
