"""Vectors of words that the training products may lack, so that a new word is not a blank.

A word is greedily cut into the longest known pieces (WordPiece: Schuster & Nakajima 2012), and its
vector is put together from theirs. The pieces' vectors come from a sentence model, are data of the
bundle, and are never trained here.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from aisle.model.memo import Memo
from aisle.normalize import words
from aisle.product import Product

_TEXTS = ("name", "description")
_CONTINUED = "##"
# A vector each: with 128 dimensions 12 MB in all. A catalogue's common words come early.
_REMEMBERED_WORDS = 20_000
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
        self._vector = Memo(self._summed, most=_REMEMBERED_WORDS, longest=_LONGEST)
        self._nothing = np.zeros(vectors.shape[1], np.float32)

    def transform(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return a vector of unit length for each product: float32 (products, dimensions).

        Every field counts the same, however long: a word adds (1 + ln tf) * idf times its vector,
        the field's sum is scaled to unit length, and so is the sum of the fields. A product without
        a known piece has zeros.
        """
        if not products:
            return np.zeros((0, len(self._nothing)), np.float32)
        parts: list[NDArray[np.float32]] = []
        starts: list[int] = []
        for product in products:
            for field in _TEXTS:
                starts.append(len(parts))
                parts.append(self._nothing)  # so that a field without words has something to add
                parts += self._of(words(getattr(product, field)))
        every = np.concatenate(parts).reshape(len(parts), -1)
        sums = np.add.reduceat(every, starts, axis=0)
        return _unit(_unit(sums).reshape(len(products), len(_TEXTS), -1).sum(axis=1))

    def contributions(
        self, product: Product, direction: NDArray[np.float32]
    ) -> dict[str, dict[str, float]]:
        """Return what each distinct word adds to the product's vector along a direction, by field.

        `direction` is float32 (dimensions,).
        """
        counted = {field: Counter(words(getattr(product, field))) for field in _TEXTS}
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

    def _field(self, occurrences: Mapping[str, int]) -> NDArray[np.float32]:
        """Add up the vectors of a field's words, by how often each occurs: (dimensions,)."""
        found = (self._repeated(word, count) for word, count in occurrences.items())
        return np.asarray(sum(found, self._nothing), np.float32)

    def _of(self, field_words: Sequence[str]) -> Iterable[NDArray[np.float32]]:
        """Return the vector of each distinct word."""
        if len(set(field_words)) == len(field_words):
            return map(self._vector.__getitem__, field_words)
        return starmap(self._repeated, Counter(field_words).items())

    def _repeated(self, word: str, count: int) -> NDArray[np.float32]:
        """Return the vector of a word that occurs so often in a field."""
        found = self._vector[word]
        return found if count == 1 else found * np.float32(1 + log(count))

    def _summed(self, word: str) -> NDArray[np.float32]:
        """Return the vector of one occurrence of a word: the sum of its pieces', weighted."""
        pieces = self._cut(word)
        weight = np.float32(self._weigh(word) / sqrt(len(pieces) or 1))
        return np.asarray(self._vectors[pieces].sum(axis=0, dtype=np.float32) * weight)

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
