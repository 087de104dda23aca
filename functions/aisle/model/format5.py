"""Bundles of format 5, the last before safetensors: converted when they are loaded.

Format 5 kept the linear stage's weights in an ONNX graph, from which onnxruntime returns them, and
the other arrays one after another as NumPy writes them. Stores that such a model serves from keep
working; this module can go once they have been retrained.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.model.linear import LinearStage
from aisle.model.onnx import load_session
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.model.word_vectors import PieceVectors

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
    )


def piece_vectors(files: Mapping[str, bytes]) -> PieceVectors:
    """Return the word pieces' vectors; raise BundleError where they cannot be read."""
    return PieceVectors(*_arrays(files, _VECTORS, 1))


def nearest_neighbours(files: Mapping[str, bytes]) -> NearestNeighbours:
    """Return the second stage's neighbours; raise BundleError where they cannot be read."""
    return NearestNeighbours(*_arrays(files, _NEIGHBOURS, 5))


def naive_bayes(files: Mapping[str, bytes]) -> NaiveBayesRatios:
    """Return the second stage's naive Bayes; raise BundleError where it cannot be read."""
    return NaiveBayesRatios(*_arrays(files, _LIKELIHOODS, 4))


def _arrays(files: Mapping[str, bytes], name: str, count: int) -> Sequence[Any]:
    """Return the arrays of a file, written one after another by NumPy."""
    buffer = io.BytesIO(files[name])
    try:
        return [np.load(buffer, allow_pickle=False) for _ in range(count)]
    except (EOFError, ValueError) as error:
        raise BundleError(
            f"The bundle's {name} cannot be read: {error}. Export the model again."
        ) from error
