"""How much likelier a class's products have a product's words, manufacturer and price than all do.

The linear stage judges what tells a class from the others; this counts what its products are like,
which says more where a value is rare, or never found in a class (Naive Bayes: Maron 1961). What a
class has not shown yet gets the probability that its next value is a new one (Witten & Bell 1991),
so that no parameter has to be chosen: of a class with a price for every product any price is
believed, of one with two prices for all of them only those.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from aisle.model.arrays import Arrays
from aisle.normalize import words
from aisle.product import Product

COUNTED = ("text", "manufacturer", "price")
"""What is counted, each by itself: the words of the name (of the description where there is no
name), the manufacturer's name, and the price to the cent."""
_UNKNOWN = -1


def values(product: Product) -> tuple[Iterable[str], Iterable[str], Iterable[str]]:
    """Return a product's distinct values of each of `COUNTED`, the field's first letter before."""
    text = dict.fromkeys(words(product.name) or words(product.description))
    manufacturer = words(product.manufacturer)
    return (
        map("t:".__add__, text),
        (f"m:{' '.join(manufacturer)}",) if manufacturer else (),
        # Plus zero, so that minus zero is the same price.
        (f"p:{product.price + 0.0:.2f}",) if product.price is not None else (),
    )


@dataclass(frozen=True)
class Likelihoods(Arrays):
    """What training products say of values and classes.

    `lines` uint8 are the values, a line each, in UTF-8; `absent` float32 (fields, classes) the
    logarithm of how much likelier (below zero: unlikelier) a class has a value that it never had;
    `gains` float32 (pairs,) what a value that it had adds to that, and `pairs` int64 (pairs,) say
    which: the number of the value times the number of classes plus the class, ascending. A last
    pair that nothing can be ends them.
    """

    lines: NDArray[np.uint8]
    absent: NDArray[np.float32]
    pairs: NDArray[np.int64]
    gains: NDArray[np.float32]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        lines = self.lines.tobytes().decode().splitlines()
        return {value: number for number, value in enumerate(lines)}

    def log_ratios(
        self, products: Sequence[Product], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the log likelihood ratio of each candidate by each field, 0 without a value.

        `candidates` int64 (products, size) are classes; the ratios, of a class's products to all
        products, are float32 (products, size, fields), summed over a field's values.
        """
        found: list[str] = []
        ends = [0]
        for product in products:
            for field in values(product):
                found += field
                ends.append(len(found))
        lengths = np.diff(ends)
        slots = np.repeat(np.arange(len(lengths)), lengths)
        numbers = np.fromiter(map(self._numbers.get, found, repeat(_UNKNOWN)), np.int64)
        asked = candidates[slots // len(COUNTED)]

        wanted = numbers[:, None] * self.absent.shape[1] + asked
        at = np.searchsorted(self.pairs, wanted)
        gains = np.where(self.pairs[at] == wanted, self.gains[at], np.float32(0))
        ratios = gains + self.absent[(slots % len(COUNTED))[:, None], asked]

        sums = np.zeros((len(lengths), candidates.shape[1]), np.float32)
        filled = np.flatnonzero(lengths)
        if len(filled):
            sums[filled] = np.add.reduceat(ratios, (np.cumsum(lengths) - lengths)[filled], axis=0)
        return sums.reshape(len(products), len(COUNTED), candidates.shape[1]).transpose(0, 2, 1)
