"""A product -> features: TF-IDF of its terms in the vocabulary, and its vector.

Terms are words, word pairs and character n-grams of the fields, the manufacturer and the price, in
blocks. Within a block a term has the value (1 + ln tf) * idf, and the block has unit length
(sublinear TF-IDF: Salton & Buckley 1988): a long description does not outweigh a short name.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

import numpy as np
from numpy.typing import NDArray

from aisle.model.memo import Memo
from aisle.model.word_vectors import WordVectors
from aisle.normalize import words
from aisle.product import Product

CACHED_WORDS = 200_000
_CACHED_LENGTH = 32
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which terms a product has, and how blocks are weighted; stored in the manifest.

    Word n-grams have 1 to `word_ngram_max` words. Character n-grams have `char_ngram_min` to
    `char_ngram_max` characters of one word, padded with a space on either side. A price's term is
    floor(`price_bins_per_doubling` * log2(1 + price)). `weights` scale the blocks, by their letter;
    `vector_weight` scales the vector.
    """

    word_ngram_max: int
    char_ngram_min: int
    char_ngram_max: int
    price_bins_per_doubling: int
    weights: dict[str, float]
    vector_weight: float


@dataclass(frozen=True, slots=True)
class Features:
    """The features of n products: an n x vocabulary matrix in compressed sparse rows, and vectors.

    `indptr` is int64 (n + 1,); `indices` int64 and `values` float32 hold, for product i, its terms
    at indptr[i]:indptr[i + 1], indices ascending; `vectors` is float32 (n, dimensions).
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float32]
    vectors: NDArray[np.float32]

    def rows(self, start: int, stop: int) -> "Features":
        """Return the features of the products from `start` up to `stop`."""
        first, last = self.indptr[start], self.indptr[stop]
        return Features(
            self.indptr[start : stop + 1] - first,
            self.indices[first:last],
            self.values[first:last],
            self.vectors[start:stop],
        )


class TermCounter:
    """Count a product's terms, by their index in a vocabulary.

    `lookup` returns the indices of terms, -1 for a term outside the vocabulary. In service the
    vocabulary is fixed; in training it grows while terms are collected. A term is its block's
    letter, a colon, and the text: `w:` words and word pairs, `c:` character n-grams, `n:` words and
    word pairs of the name if there is a description too (which would outweigh them), `m:` the
    manufacturer's name and its words, `p:` the price.
    """

    def __init__(self, spec: FeatureSpec, lookup: Callable[[Iterable[str]], Iterable[int]]) -> None:
        self._spec = spec
        self._lookup = lookup
        self.word = Memo(self._word, most=CACHED_WORDS, longest=_CACHED_LENGTH)
        """The indices of a word and of its character n-grams: int64 (n,)."""

    def count(
        self, products: Iterable[Product]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return (rows, terms, counts) of all known terms, ordered by row, then term."""
        chunks = [self._count_chunk(chunk) for chunk in _chunks(products)]
        starts = np.cumsum([0, *(size for size, *_ in chunks)])
        none = np.empty(0, np.int64)
        rows = [rows + start for (_, rows, _, _), start in zip(chunks, starts, strict=False)]
        return (
            np.concatenate([none, *rows]),
            np.concatenate([none, *(terms for _, _, terms, _ in chunks)]),
            np.concatenate([none, *(counts for *_, counts in chunks)]),
        )

    def _count_chunk(
        self, products: Sequence[Product]
    ) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        of_words: list[NDArray[np.int64]] = []
        words_ends: list[int] = []
        others: list[str] = []
        others_ends: list[int] = []
        for product in products:
            name, description = words(product.name), words(product.description)
            of_words += map(self.word.__getitem__, name)
            of_words += map(self.word.__getitem__, description)
            words_ends.append(len(of_words))
            others += map("w:".__add__, self._joined(name))
            others += map("w:".__add__, self._joined(description))
            if name and description:
                others += map("n:".__add__, name)
                others += map("n:".__add__, self._joined(name))
            others += self._attributes(product)
            others_ends.append(len(others))
        rows = np.arange(len(words_ends))
        occurrences = np.concatenate(
            [
                np.repeat(np.repeat(rows, _lengths(words_ends)), [*map(len, of_words)]),
                np.repeat(rows, _lengths(others_ends)),
            ]
        )
        ids = np.concatenate([*of_words, self.indices(others)])
        keys, counts = np.unique((occurrences << 32 | ids)[ids >= 0], return_counts=True)
        return len(rows), keys >> 32, keys & 0xFFFFFFFF, counts

    def _word(self, word: str) -> NDArray[np.int64]:
        return self.indices((f"w:{word}", *self._character_ngrams(word)))

    def phrases(self, field_words: Sequence[str]) -> Iterator[tuple[range, str]]:
        """Yield the word n-grams of two or more words, each with its words' positions."""
        ngrams = self._joined(field_words)
        for size in range(2, self._spec.word_ngram_max + 1):
            for start in range(len(field_words) - size + 1):
                yield range(start, start + size), next(ngrams)

    def _joined(self, field_words: Sequence[str]) -> Iterator[str]:
        """Return the word n-grams of two or more words, shorter ones first."""
        by_size = [
            map(" ".join, zip(*[field_words[offset:] for offset in range(size)], strict=False))
            for size in range(2, self._spec.word_ngram_max + 1)
        ]
        return chain.from_iterable(by_size)

    def indices(self, terms: Iterable[str]) -> NDArray[np.int64]:
        """Return the terms' indices in the vocabulary, -1 outside it: int64 (terms,)."""
        return np.fromiter(self._lookup(terms), np.int64)

    def _attributes(self, product: Product) -> Iterator[str]:
        """Yield the terms of the manufacturer and the price."""
        manufacturer = words(product.manufacturer)
        if manufacturer:
            yield f"m:{' '.join(manufacturer)}"
        if len(manufacturer) > 1:
            yield from (f"m:{word}" for word in manufacturer)
        if product.price is not None:
            scale = self._spec.price_bins_per_doubling
            yield f"p:{int(scale * math.log2(1 + product.price))}"

    def _character_ngrams(self, word: str) -> Iterator[str]:
        padded = f" {word} "
        for size in range(self._spec.char_ngram_min, self._spec.char_ngram_max + 1):
            for start in range(len(padded) - size + 1):
                yield f"c:{padded[start : start + size]}"


def _lengths(ends: Sequence[int]) -> NDArray[np.int64]:
    """Return the lengths of consecutive runs from the positions where they end."""
    return np.diff(ends, prepend=0)


def _chunks(products: Iterable[Product]) -> Iterator[list[Product]]:
    """Split products into chunks, which bounds the memory for occurrences of terms."""
    remaining = iter(products)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


class Featurizer:
    """Computes the features of products, with a fixed vocabulary.

    `terms` are the vocabulary in order. `document_frequency` (same length) is how many of the
    `documents` products that the vocabulary was collected from have each term. `pieces` and
    `vectors` are those of `WordVectors`.
    """

    def __init__(  # noqa: PLR0913  # what a bundle holds for it
        self,
        spec: FeatureSpec,
        terms: Sequence[str],
        *,
        document_frequency: NDArray[np.int64],
        documents: int,
        pieces: Sequence[str],
        vectors: NDArray[np.int8],
    ) -> None:
        self._indices = {term: index for index, term in enumerate(terms)}
        index_of = self._indices.get
        self.counter = TermCounter(spec, lambda terms: map(index_of, terms, repeat(-1)))
        # The last one, at -1, is for terms outside the vocabulary.
        frequency = np.append(document_frequency, 0)
        self._idf = np.log((1 + documents) / (1 + frequency)) + 1
        blocks = list(spec.weights)
        self._block = np.array([blocks.index(term[0]) for term in terms], np.int64)
        self._weights = np.array([spec.weights[block] for block in blocks])
        self.vector_weight = spec.vector_weight
        self.word_vectors = WordVectors(pieces, vectors, self._word_idf)

    def transform(self, products: Sequence[Product]) -> Features:
        """Return the features of the products, in order, in float32."""
        rows, terms, counts = self.counter.count(products)
        indptr = np.zeros(len(products) + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=len(products)), out=indptr[1:])
        values = self._weigh(rows, terms, counts, len(products))
        vectors = self.word_vectors.transform(products) * np.float32(self.vector_weight)
        return Features(indptr, terms, values, vectors)

    def _weigh(
        self,
        rows: NDArray[np.int64],
        terms: NDArray[np.int64],
        counts: NDArray[np.int64],
        size: int,
    ) -> NDArray[np.float32]:
        """Return the values of counted terms, each product's blocks scaled to unit length."""
        values = (1 + np.log(counts)) * self._idf[terms]
        blocks = len(self._weights)
        slots = rows * blocks + self._block[terms]
        norms = np.sqrt(np.bincount(slots, values * values, minlength=size * blocks))
        values *= self._weights[self._block[terms]] / norms[slots]
        return np.asarray(values, np.float32)

    def _word_idf(self, word: str) -> float:
        return float(self._idf[self._indices.get(f"w:{word}", -1)])
