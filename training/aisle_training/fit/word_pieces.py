"""The vectors of word pieces: training takes them from the packaged bundle.

Every bundle carries them. `aisle_benchmark.research.word_pieces` says where they come from and
makes them again.
"""

import numpy as np
from numpy.typing import NDArray

from aisle.model import bundle


def packaged() -> tuple[list[str], NDArray[np.int8]]:
    """Return the pieces and vectors int8 (pieces, dimensions) of the packaged bundle."""
    return bundle.read(bundle.PACKAGED).word_pieces()
