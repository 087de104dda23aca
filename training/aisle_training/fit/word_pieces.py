"""The vectors of word pieces: a training run takes those of the packaged bundle.

Every bundle carries them. `aisle_benchmark.research.word_pieces` tells how they were made, and
makes them anew.
"""

import numpy as np
from numpy.typing import NDArray

from aisle.model import bundle
from aisle.model.bundle import PIECES, VECTORS


def packaged() -> tuple[list[str], NDArray[np.int8]]:
    """Return the pieces and vectors int8 (pieces, dimensions) of the packaged bundle."""
    folder = bundle.PACKAGED
    vectors = np.load(folder / VECTORS, allow_pickle=False)
    return (folder / PIECES).read_text(encoding="utf-8").splitlines(), vectors
