"""Vectors of products from the vectors of word pieces, so that words new to the model count too.

A word is split greedily into the longest known pieces (WordPiece: Schuster & Nakajima 2012), and
its vector is the weighted sum of theirs. The pieces' vectors come from a sentence model and are
data of the bundle; training does not change them.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from math import log, sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.model.arrays import Arrays
from aisle.model.memo import Memo
from aisle.normalize import words
from aisle.product import Product

_TEXTS = ("name", "description")
_CONTINUED = "##"
# One vector each, 10 MB with 128 dimensions. A catalogue's common words come early.
CACHED_WORDS = 20_000
# Longer words are part numbers or unspaced scripts: only the first characters are used.
_LONGEST = 32


@dataclass(frozen=True, slots=True)
class PieceVectors(Arrays):
    """The vectors of word pieces: `vectors` int8 (pieces, dimensions), at any scale."""

    KINDS: ClassVar[Mapping[str, tuple[int, str]]] = {
        "vectors": (2, "int8"),
    }

    vectors: NDArray[np.int8]


class WordVectors:
    """Computes vectors of products from those of word pieces.

    `pieces` are texts; those that continue a word start with "##". `vectors` are int8
    (pieces, dimensions), at any scale. `weigh` returns a word's weight, its inverse document
    frequency. An instance may be shared between threads.
    """

    def __init__(
        self, pieces: Sequence[str], vectors: NDArray[np.int8], weigh: Callable[[str], float]
    ) -> None:
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._vectors = vectors
        self._weigh = weigh
        self._vector = Memo(self._word_vector, most=CACHED_WORDS, longest=_LONGEST)
        self._zeros = np.zeros(vectors.shape[1], np.float32)

    def transform(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return a vector of unit length for each product: float32 (products, dimensions).

        A word adds (1 + ln tf) * idf times its vector. The sum of each field is scaled to unit
        length, so that short and long fields count the same, and so is the sum of the fields. A
        product without a known piece gets zeros.
        """
        if not products:
            return np.zeros((0, len(self._zeros)), np.float32)
        vectors: list[NDArray[np.float32]] = []
        starts: list[int] = []
        for product in products:
            for field in _TEXTS:
                starts.append(len(vectors))
                vectors.append(self._zeros)  # `reduceat` needs a row for a field without words
                vectors += self._weighted(words(getattr(product, field)))
        sums = np.add.reduceat(np.concatenate(vectors).reshape(len(vectors), -1), starts, axis=0)
        return _unit(_unit(sums).reshape(len(products), len(_TEXTS), -1).sum(axis=1))

    def contributions(
        self, product: Product, direction: NDArray[np.float32]
    ) -> dict[str, dict[str, float]]:
        """Return what each distinct word of a field adds to the product's vector, by field.

        A word's share is its projection on `direction`, float32 (dimensions,).
        """
        counts = {field: Counter(words(getattr(product, field))) for field in _TEXTS}
        vectors = {
            field: np.array([self._zeros, *self._weighted(words(getattr(product, field)))])
            for field in _TEXTS
        }
        sums = np.stack([field_vectors.sum(axis=0) for field_vectors in vectors.values()])
        lengths = dict(zip(_TEXTS, _lengths(sums)[:, 0], strict=True))
        length = _lengths(_unit(sums).sum(axis=0))[0]
        return {
            field: {
                word: float(share) / float(lengths[field] * length)
                for word, share in zip(counts[field], vectors[field][1:] @ direction, strict=True)
            }
            for field in _TEXTS
        }

    def _weighted(self, field_words: Sequence[str]) -> Iterable[NDArray[np.float32]]:
        """Return the vector of each distinct word, times 1 + ln of how often it occurs."""
        if len(set(field_words)) == len(field_words):
            return map(self._vector.__getitem__, field_words)
        return starmap(self._repeated, Counter(field_words).items())

    def _repeated(self, word: str, count: int) -> NDArray[np.float32]:
        vector = self._vector[word]
        return vector if count == 1 else vector * np.float32(1 + log(count))

    def _word_vector(self, word: str) -> NDArray[np.float32]:
        """Return idf / sqrt(pieces) times the sum of the vectors of a word's pieces."""
        pieces = self._split(word)
        weight = np.float32(self._weigh(word) / sqrt(len(pieces) or 1))
        return np.asarray(self._vectors[pieces].sum(axis=0, dtype=np.float32) * weight)

    def _split(self, word: str) -> list[int]:
        """Split a word into the longest known pieces, up to the first unknown part."""
        plain = word if word.isascii() else _without_accents(word)
        plain = plain[:_LONGEST]
        pieces: list[int] = []
        start = 0
        while start < len(plain):
            prefix = _CONTINUED if start else ""
            for end in range(len(plain), start, -1):
                number = self._numbers.get(prefix + plain[start:end])
                if number is not None:
                    pieces.append(number)
                    start = end
                    break
            else:
                break
        return pieces


def _without_accents(word: str) -> str:
    """Remove accents: the pieces have none."""
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors (the last axis) to unit length; zeros stay zeros."""
    return np.asarray(vectors / _lengths(vectors), np.float32)


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the lengths of vectors (the last axis, kept with size 1), 1 for zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 0, lengths, np.float32(1))
