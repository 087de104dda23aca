"""Vectors of words that the training products may lack, so that a new word is not a blank.

A word is greedily cut into the longest known pieces (WordPiece: Schuster & Nakajima 2012), and its
vector is put together from theirs. The pieces' vectors come from a sentence model, are data of the
bundle, and are never trained here.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from aisle.product import Product
from aisle.text import words

FIELDS = ("name", "description")
_CONTINUED = "##"
_CACHED_WORDS = 200_000
# Longer words are no words (part numbers, unspaced scripts): only their beginning is looked at.
_LONGEST = 32


class WordVectors:
    """Vectors of products, from those of word pieces.

    `pieces` are texts, those that continue a word with "##" before them; `vectors` int8
    (pieces, dimensions), to any scale. `weigh` gives a word's weight, its inverse document
    frequency. An instance may be shared between threads.
    """

    def __init__(
        self, pieces: Sequence[str], vectors: NDArray[np.int8], weigh: Callable[[str], float]
    ) -> None:
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._vectors = vectors
        self._weigh = weigh
        self._cache: dict[str, tuple[list[int], float]] = {}

    def transform(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return a vector of unit length for each product: float32 (products, dimensions).

        Every field counts the same, however long: a word adds (1 + ln tf) * idf times its vector,
        the field's sum is scaled to unit length, and so is the sum of the fields. A product without
        a known piece has zeros.
        """
        if not products:
            return np.zeros((0, self._vectors.shape[1]), np.float32)
        pieces: list[int] = []
        weights: list[float] = []
        ends: list[int] = []
        for product in products:
            for field in FIELDS:
                self._add(Counter(words(getattr(product, field))), pieces, weights)
                ends.append(len(pieces))
        sums = self._sums(pieces, weights, ends)
        return _unit(_unit(sums).reshape(len(products), len(FIELDS), -1).sum(axis=1))

    def contributions(
        self, product: Product, direction: NDArray[np.float32]
    ) -> dict[str, dict[str, float]]:
        """Return what each distinct word adds to the product's vector along a direction, by field.

        `direction` is float32 (dimensions,).
        """
        counted = {field: Counter(words(getattr(product, field))) for field in FIELDS}
        lengths = {
            field: float(np.linalg.norm(self._field(found))) or 1.0
            for field, found in counted.items()
        }
        whole = sum(self._field(found) / lengths[field] for field, found in counted.items())
        length = float(np.linalg.norm(whole)) or 1.0
        return {
            field: {
                word: float(self._field({word: count}) @ direction) / lengths[field] / length
                for word, count in found.items()
            }
            for field, found in counted.items()
        }

    def _sums(
        self, pieces: Sequence[int], weights: Sequence[float], ends: Sequence[int]
    ) -> NDArray[np.float32]:
        """Add up weighted vectors of pieces, in runs that end where `ends` says: (runs, any)."""
        # A row of zeros for each run, so that a run without pieces has something to add up.
        runs = np.arange(len(ends))
        starts = np.array([0, *ends[:-1]], np.int64) + runs
        rows = np.insert(np.array(pieces, np.int64), np.array([0, *ends[:-1]], np.int64), 0)
        scale = np.insert(np.array(weights, np.float32), np.array([0, *ends[:-1]], np.int64), 0)
        return np.add.reduceat(self._vectors[rows] * scale[:, None], starts, axis=0)

    def _field(self, occurrences: Mapping[str, int]) -> NDArray[np.float32]:
        """Add up the vectors of a field's words, by how often each occurs: (dimensions,)."""
        pieces: list[int] = []
        weights: list[float] = []
        self._add(occurrences, pieces, weights)
        return self._sums(pieces, weights, [len(pieces)]).ravel()

    def _add(self, occurrences: Mapping[str, int], pieces: list[int], weights: list[float]) -> None:
        """Append the pieces of words, and what each occurrence of them weighs."""
        known = self._cache.get
        for word, count in occurrences.items():
            found, weight = known(word) or self._known(word)
            pieces += found
            once = weight if count == 1 else weight * (1 + log(count))
            weights += [once] * len(found)

    def _known(self, word: str) -> tuple[list[int], float]:
        """Return a word's pieces, and what one occurrence of the word weighs in each."""
        known = self._cache.get(word)
        if known is None:
            found = self._cut(word)
            known = found, self._weigh(word) / sqrt(len(found) or 1)
            if len(self._cache) < _CACHED_WORDS:
                self._cache[word] = known
        return known

    def _cut(self, word: str) -> list[int]:
        """Cut a word into the longest known pieces, up to the first part that is unknown."""
        plain = word if word.isascii() else _without_accents(word)
        plain = plain[:_LONGEST]
        found: list[int] = []
        start = 0
        while start < len(plain):
            prefix = _CONTINUED if start else ""
            for end in range(len(plain), start, -1):
                number = self._numbers.get(prefix + plain[start:end])
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                break
        return found


def _without_accents(word: str) -> str:
    """Drop accents: the pieces have none."""
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(one for one in decomposed if unicodedata.category(one) != "Mn")


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors (the last axis) to unit length; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)
