"""The linear stage around its integer product: values to digits before it, sums to scores after it.

The weights of terms are 8-bit, so a product's values are written as 7-bit digits, multiplied as
integers, and put together again. That is exact, so it is the same however products are batched;
7 bits, since two products of 8-bit factors would overflow the 16 bits that some processors add in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.model.arrays import Arrays
from aisle.model.hierarchy import class_scores
from aisle.model.tfidf import Features

DIGITS = 3
_BITS = 7
_LARGEST = 2 ** (DIGITS * _BITS) - 1
_PLACES = 2.0 ** (_BITS * np.arange(DIGITS)[::-1])
_SMALL = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Scorers(Arrays):
    """What the linear stage needs beside its weights.

    `scale` float32 (terms,) is what a unit of each term's 8-bit weights is worth; a class's score
    is the sum of the margins of the scorers `slots` int64 (classes, slots), each times its
    `slot_weights` float32 (classes, slots).
    """

    scale: NDArray[np.float32]
    slots: NDArray[np.int64]
    slot_weights: NDArray[np.float32]

    def digits(self, features: Features) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return the digits of each scaled value, and what the last digit is worth.

        They are uint8 (digits, values), the highest first, and float64 (products,): a product's
        largest value sets the worth.
        """
        size = len(features.indptr) - 1
        owners = np.repeat(np.arange(size), np.diff(features.indptr))
        scaled = features.values * self.scale[features.indices]
        largest = np.full(size, _SMALL, np.float32)
        np.maximum.at(largest, owners, scaled)
        whole = np.rint(scaled * (np.float32(_LARGEST) / largest)[owners]).astype(np.int64)
        shifts = _BITS * np.arange(DIGITS)[::-1, None]
        digits = np.minimum(whole, _LARGEST) >> shifts & (2**_BITS - 1)
        return digits.astype(np.uint8), largest.astype(np.float64) / _LARGEST

    def margins(
        self, sums: NDArray[np.int32], worth: NDArray[np.float64], offsets: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the scorers' margins: float32 (products, scorers).

        `sums` int32 (products, digits, scorers) are the digits times the weights, `worth` float64
        (products,) comes from `digits`, `offsets` (products, scorers) are what terms do not decide.
        """
        whole = sum(place * sums[:, at] for at, place in enumerate(_PLACES))
        return np.asarray(whole * worth[:, None], np.float32) + offsets

    def probabilities(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return softmax of the classes' scores: float32 (products, classes)."""
        scores = class_scores(margins, self.slots, self.slot_weights)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores
