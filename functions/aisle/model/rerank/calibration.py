"""Calibrate the probability that a product's class is not among its candidates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SMALL = 1e-9
_LEAST = 1e-6
_MOST_LOG_ODDS = np.float32(30)


@dataclass(frozen=True, slots=True)
class Outside:
    """The probability outside the candidates: calibrated log-odds = slope * log-odds + shift.

    The linear stage's many small probabilities add up to too much or too little; this is Platt
    scaling (Platt 1999) of their sum.
    """

    slope: float
    shift: float

    def calibrate(self, rest: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the calibrated probability outside the candidates; a negligible one is unchanged.

        `rest` float32 (products, 1) or (products,) is the linear stage's.
        """
        odds = log_odds(rest) * np.float32(self.slope) + np.float32(self.shift)
        odds = np.clip(odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
        return np.where(rest > _SMALL, 1 / (1 + np.exp(-odds)), rest).astype(np.float32)


def log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-odds of probabilities, clipped away from 0 and 1."""
    clipped = np.clip(probabilities, np.float32(_LEAST), np.float32(1 - _LEAST))
    return np.log(clipped) - np.log1p(-clipped)
