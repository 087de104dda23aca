"""The second stage's candidates: the most probable classes, and how they share the probability.

The linear stage ranks all classes by the product's words. A gradient-boosted tree model (LightGBM:
Ke et al. 2017) rescores the best few by `aisle.model.rerank.features`.
"""

import numpy as np
from numpy.typing import NDArray

from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.features import CandidateFeatures
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.taxonomy import Taxonomy

MOST_CANDIDATES = 8
_SMALL = 1e-9


class Shortlist:
    """Selects each product's candidates, and redistributes the probability among them."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        neighbours: NearestNeighbours,
        naive_bayes: NaiveBayesRatios,
        kind: type[CandidateFeatures] = CandidateFeatures,
    ) -> None:
        self.features = kind(taxonomy, neighbours, naive_bayes).compute
        """Computes the candidates' features: `CandidateFeatures.compute`."""
        self.width = kind.count
        self.size = min(MOST_CANDIDATES, len(taxonomy.classes))

    def candidates(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the most probable classes, best first: int64 (products, size)."""
        if self.size == probabilities.shape[1]:
            best = np.broadcast_to(np.arange(self.size), probabilities.shape)
        else:
            best = np.argpartition(-probabilities, self.size - 1, axis=1)[:, : self.size]
        best = np.sort(best, axis=1)
        order = np.argsort(-np.take_along_axis(probabilities, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1)

    def share_out(
        self,
        probabilities: NDArray[np.float32],
        candidates: NDArray[np.int64],
        scores: NDArray[np.float32],
        outside: Outside,
    ) -> NDArray[np.float32]:
        """Return probabilities in which the candidates share theirs by softmax of their scores.

        `outside` decides how much all candidates have together; the other classes keep their
        proportions.
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
