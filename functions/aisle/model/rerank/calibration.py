"""How likely a product's class is none of the candidates, calibrated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SMALL = 1e-9
_LEAST = 1e-6
_MOST_LOG_ODDS = np.float32(30)


@dataclass(frozen=True, slots=True)
class Outside:
    """How likely a product's class is none of the candidates: log-odds' = slope * log-odds + shift.

    The linear stage's many small probabilities add up to too much, or to too little (Platt 1999).
    """

    slope: float
    shift: float

    def calibrate(self, rest: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the calibrated share of what is outside; next to nothing stays that."""
        odds = log_odds(rest) * np.float32(self.slope) + np.float32(self.shift)
        odds = np.clip(odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
        return np.where(rest > _SMALL, 1 / (1 + np.exp(-odds)), rest).astype(np.float32)


def log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of the odds of probabilities, those near 0 and 1 held off them."""
    held = np.clip(probabilities, np.float32(_LEAST), np.float32(1 - _LEAST))
    return np.log(held) - np.log1p(-held)
