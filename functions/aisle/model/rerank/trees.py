"""The second stage as it serves: LightGBM's trees, run as ONNX, over each product's candidates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.model.onnx import load_session
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.candidates import Shortlist
from aisle.model.tfidf import Features
from aisle.product import Product


class Reranker:
    """The second stage of a model that has one.

    `trees` is the serialised ONNX graph; `file` is its name in the bundle, for error messages.
    """

    def __init__(self, trees: bytes, file: str, shortlist: Shortlist, outside: Outside) -> None:
        self._session = load_session(trees, file)
        self.shortlist = shortlist
        self._outside = outside
        try:
            scores = self.scores(np.zeros((1, 2, shortlist.width), np.float32))
        except Exception as error:  # onnxruntime raises its own types, all directly under Exception
            raise BundleError(
                f"The bundle's {file} cannot be used: {error}. Export the model again."
            ) from error
        if not np.isfinite(scores).all():
            raise BundleError(f"The bundle's {file} gives no numbers. Export the model again.")

    def rerank(
        self,
        products: Sequence[Product],
        features: Features,
        probabilities: NDArray[np.float32],
        margins: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the probabilities (products, classes) after reranking the candidates.

        `margins` are those of the linear stage: float32 (products, svms).
        """
        candidates = self.shortlist.candidates(probabilities)
        described = self.shortlist.features(
            products, features, candidates, probabilities=probabilities, margins=margins
        )
        scores = self.scores(described)
        return self.shortlist.share_out(probabilities, candidates, scores, self._outside)

    def scores(self, described: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the trees' score of each candidate (products, size, features)."""
        flat = described.reshape(-1, described.shape[2])
        (scores,) = self._session.run(["scores"], {"features": flat})
        return np.asarray(scores, np.float32).reshape(described.shape[:2])
