"""Bundles of format 5, the last before safetensors: converted when they are loaded.

Format 5 kept the linear stage's weights in an ONNX graph, from which onnxruntime returns them, and
the other arrays one after another as NumPy writes them. Stores that such a model serves from keep
working; this module can go once they have been retrained.
"""

import io
from collections.abc import Mapping, Sequence
from tokenize import TokenError
from typing import Any, ClassVar

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.model.linear import LinearStage
from aisle.model.onnx import load_session
from aisle.model.rerank.features import CandidateFeatures
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.model.tfidf import Features
from aisle.model.word_vectors import PieceVectors
from aisle.product import Product

FORMAT_VERSION = 5
_MODEL = "model.onnx"
_SCORERS = "scorers.npy"
_VECTORS = "vectors.npy"
_NEIGHBOURS = "neighbours.npy"
_LIKELIHOODS = "likelihoods.npy"
DECISIVE_FILES = (
    _MODEL,
    _SCORERS,
    "vocabulary.tsv",
    "categories.json",
    "pieces.txt",
    _VECTORS,
    "reranker.onnx",
    _NEIGHBOURS,
    _LIKELIHOODS,
)
# Terms whose weights are asked for at once: the graph returns them dense.
_CHUNK = 4096
_DIGITS = 3


def linear_stage(files: Mapping[str, bytes]) -> LinearStage:
    """Return the linear stage of a bundle's files; raise BundleError where it cannot be read."""
    try:
        return _linear_stage(files)
    except BundleError:
        raise
    except Exception as error:  # onnxruntime raises its own types, all directly under Exception
        raise BundleError(
            f"The bundle's {_MODEL} and {_SCORERS} cannot be read: {error}. Export the model again."
        ) from error


def _linear_stage(files: Mapping[str, bytes]) -> LinearStage:
    session = load_session(files[_MODEL], _MODEL)
    scale, slots, slot_weights = _arrays(files, _SCORERS, 3)
    svms = session.get_outputs()[1].shape[1]
    dimensions = session.get_inputs()[2].shape[1]
    every_svm = np.arange(svms)

    def ask(terms: NDArray[np.int64], output: str) -> NDArray[np.generic]:
        inputs = {
            "terms": terms,
            "digits": np.zeros((_DIGITS, len(terms)), np.uint8),
            "vectors": np.zeros((1, dimensions), np.float32),
            "explain": every_svm,
        }
        return np.asarray(session.run([output], inputs)[0])

    starts = range(0, len(scale), _CHUNK)
    blocks = [ask(np.arange(at, min(at + _CHUNK, len(scale))), "weights") for at in starts]
    lengths = np.concatenate([(block != 0).sum(axis=1) for block in blocks])
    none = np.arange(0)
    return LinearStage(
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        indices=np.concatenate([np.nonzero(block)[1] for block in blocks]).astype(np.int32),
        data=np.concatenate([block[block != 0] for block in blocks]).astype(np.int8),
        scale=scale,
        vector_weights=np.ascontiguousarray(ask(none, "directions").T.astype(np.float32)),
        intercepts=ask(none, "offsets")[0].astype(np.float32),
        slots=slots,
        slot_weights=slot_weights,
    ).checked(_SCORERS)


def piece_vectors(files: Mapping[str, bytes]) -> PieceVectors:
    """Return the word pieces' vectors; raise BundleError where they cannot be read."""
    return PieceVectors(*_arrays(files, _VECTORS, 1)).checked(_VECTORS)


def nearest_neighbours(files: Mapping[str, bytes]) -> NearestNeighbours:
    """Return the second stage's neighbours; raise BundleError where they cannot be read."""
    return NearestNeighbours(*_arrays(files, _NEIGHBOURS, 5)).checked(_NEIGHBOURS)


def naive_bayes(files: Mapping[str, bytes]) -> NaiveBayesRatios:
    """Return the second stage's naive Bayes; raise BundleError where it cannot be read."""
    return NaiveBayesRatios(*_arrays(files, _LIKELIHOODS, 4)).checked(_LIKELIHOODS)


class CandidateFeatures5(CandidateFeatures):
    """The 25 features of format 5: those of format 6, and seven that it dropped, in their order."""

    count: ClassVar = 25

    def compute(
        self,
        products: Sequence[Product],
        features: Features,
        candidates: NDArray[np.int64],
        *,
        probabilities: NDArray[np.float32],
        margins: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the features of each candidate, as `CandidateFeatures.compute` does."""
        kept = super().compute(
            products, features, candidates, probabilities=probabilities, margins=margins
        )
        ones = np.ones(candidates.shape, np.float32)
        logs = kept[:, :, 0]
        rolled = self._taxonomy.roll_up(probabilities)
        rows = np.arange(len(products))[:, None]
        lengths = (self._taxonomy.ancestors >= 0).sum(axis=1).astype(np.float32)
        small = np.float32(1e-9)
        entropy = -(probabilities * np.log(probabilities + small)).sum(axis=1)
        prices = np.array(
            [-1 if product.price is None else np.log1p(product.price) for product in products]
        )
        first, last = self._taxonomy.classes_below(self._nodes[candidates][:, :, -1])
        similarities = self._neighbours.similarities(features)
        for _ in range(3):
            similarities *= similarities
        edges = np.concatenate([[0], np.cumsum(self._neighbours.kept)])
        bounds = np.stack([edges[first], edges[last]], axis=2) + edges[-1] * rows[:, :, None]
        # The same bits as in format 5: a threshold of the trees may lie between two roundings.
        sums = np.add.reduceat(np.append(similarities, np.float32(0)), bounds.ravel())[::2]
        votes = sums.reshape(first.shape) / (similarities.sum(axis=1, keepdims=True) + small)
        # Each is inserted before the feature of format 6 that followed it.
        dropped = [
            (2, logs - np.concatenate([logs[:, 1:], logs[:, -1:]], axis=1)),
            (2, np.arange(candidates.shape[1]) * ones),
            (5, rolled[rows, self._taxonomy.ends[candidates]]),
            (11, lengths[candidates]),
            (11, entropy[:, None] * ones),
            (12, prices[:, None] * ones),
            (13, votes),
        ]
        places = [place for place, _ in dropped]
        columns = np.stack([column for _, column in dropped], axis=2).astype(np.float32)
        return np.insert(kept, places, columns, axis=2)


def _arrays(files: Mapping[str, bytes], name: str, count: int) -> Sequence[Any]:
    """Return the arrays of a file, written one after another by NumPy."""
    buffer = io.BytesIO(files[name])
    try:
        # Not `load`, which also reads archives.
        return [read_array(buffer, allow_pickle=False) for _ in range(count)]
    except (ValueError, OverflowError, MemoryError, SyntaxError, TokenError) as error:
        raise BundleError(
            f"The bundle's {name} cannot be read: {error}. Export the model again."
        ) from error
