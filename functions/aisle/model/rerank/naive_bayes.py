"""Naive Bayes: log-likelihood ratios of a product's words, manufacturer and price per class.

The ratio compares how often a class's products have a value with how often all products have it
(Naive Bayes: Maron 1961). The linear stage learns what separates classes; this counts what a
class's products have in common, which says more about rare values and about values that a class
never has. An unseen value gets the probability that the class's next value is new (Witten & Bell
1991), so there is no smoothing parameter to choose: a class in which every product has a price of
its own accepts any price, a class with two prices only those two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.model.arrays import Arrays
from aisle.normalize import words
from aisle.product import Product

COUNTED = ("text", "manufacturer", "price")
"""The fields, each counted separately: the words of the name (of the description where there is no
name), the manufacturer's name, and the price to the cent."""
_UNKNOWN = -1


def values(product: Product) -> tuple[Iterable[str], Iterable[str], Iterable[str]]:
    """Return a product's distinct values of each of `COUNTED`, with the field's letter in front."""
    text = dict.fromkeys(words(product.name) or words(product.description))
    manufacturer = words(product.manufacturer)
    return (
        map("t:".__add__, text),
        (f"m:{' '.join(manufacturer)}",) if manufacturer else (),
        # Plus zero, so that minus zero is the same price.
        (f"p:{product.price + 0.0:.2f}",) if product.price is not None else (),
    )


@dataclass(frozen=True)
class NaiveBayesRatios(Arrays):
    """Log-likelihood ratios of values and classes, counted over training products.

    `lines` uint8 are the values in UTF-8, one per line; `absent` float32 (fields, classes) is the
    log ratio of a value that the class never had. A value that it had adds `gains` float32
    (pairs,) to that. `pairs` int64 (pairs,), ascending, say which value and class: the value's
    number times the number of classes, plus the class. A sentinel above all pairs ends them.
    """

    KINDS: ClassVar[Mapping[str, tuple[int, str]]] = {
        "lines": (1, "uint8"),
        "absent": (2, "float32"),
        "pairs": (1, "int64"),
        "gains": (1, "float32"),
    }

    lines: NDArray[np.uint8]
    absent: NDArray[np.float32]
    pairs: NDArray[np.int64]
    gains: NDArray[np.float32]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        lines = self.lines.tobytes().decode().splitlines()
        return {value: number for number, value in enumerate(lines)}

    def values_count(self) -> int:
        """Return the number of values; raise BundleError where they are not UTF-8."""
        try:
            return len(self._numbers)
        except UnicodeDecodeError as error:
            raise BundleError(
                f"The bundle's naive Bayes has values that are not UTF-8: {error}. Export the "
                "model again."
            ) from error

    def log_ratios(
        self, products: Sequence[Product], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the log likelihood ratio of each candidate by each field, 0 without a value.

        `candidates` int64 (products, size) are classes. The ratios, float32 (products, size,
        fields), are summed over a field's values.
        """
        field_values: list[str] = []
        ends = [0]
        for product in products:
            for of_field in values(product):
                field_values += of_field
                ends.append(len(field_values))
        lengths = np.diff(ends)
        slots = np.repeat(np.arange(len(lengths)), lengths)
        numbers = np.fromiter(map(self._numbers.get, field_values, repeat(_UNKNOWN)), np.int64)
        classes = candidates[slots // len(COUNTED)]

        pairs = numbers[:, None] * self.absent.shape[1] + classes
        positions = np.searchsorted(self.pairs, pairs)
        gains = np.where(self.pairs[positions] == pairs, self.gains[positions], np.float32(0))
        ratios = gains + self.absent[(slots % len(COUNTED))[:, None], classes]

        sums = np.zeros((len(lengths), candidates.shape[1]), np.float32)
        filled = np.flatnonzero(lengths)
        if len(filled):
            sums[filled] = np.add.reduceat(ratios, (np.cumsum(lengths) - lengths)[filled], axis=0)
        return sums.reshape(len(products), len(COUNTED), candidates.shape[1]).transpose(0, 2, 1)
