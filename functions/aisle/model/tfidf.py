"""A product -> what the scorer reads: the indices and values of its known terms.

The fields' words, word pairs and character n-grams, in blocks. Within a block a term weighs
(1 + ln tf) * idf and the block has unit length (sublinear TF-IDF: Salton & Buckley 1988), so that a
long description does not drown a short name.
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

_REMEMBERED_WORDS = 200_000
_REMEMBERED_LENGTH = 32
_COUNTED_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which terms are made of a product; it travels in the manifest.

    Word n-grams have 1 to `word_ngram_max` words; character n-grams `char_ngram_min` to
    `char_ngram_max` characters of one word padded with a space on either side. A price's term is
    floor(`price_bins_per_doubling` * log2(1 + price)). `weights` scales each block, `vector_weight`
    the vector that stands beside them.
    """

    word_ngram_max: int
    char_ngram_min: int
    char_ngram_max: int
    price_bins_per_doubling: int
    weights: dict[str, float]
    vector_weight: float


@dataclass(frozen=True, slots=True)
class Features:
    """The features of n products: a sparse n x vocabulary matrix in compressed rows, and vectors.

    `indptr` is int64 (n + 1,); `indices` int64 and `values` float32 hold, for product i, its terms
    at indptr[i]:indptr[i + 1], indices ascending; `vectors` is float32 (n, dimensions).
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float32]
    vectors: NDArray[np.float32]


class TermCounter:
    """Count a product's terms, by their number in a vocabulary.

    `lookup` gives the numbers of terms, -1 where the vocabulary does not have one: a vocabulary
    that is frozen when serving, one that grows when training collects its terms. A term is its
    block's letter, a colon, and the text: `w:` words and word pairs, `c:` character n-grams,
    `n:` words and word pairs of the name where there is a description beside it, which they would
    drown in, `m:` the manufacturer's name and words, `p:` the price.
    """

    def __init__(self, spec: FeatureSpec, lookup: Callable[[Iterable[str]], Iterable[int]]) -> None:
        self._spec = spec
        self._lookup = lookup
        self.word = Memo(self._word, most=_REMEMBERED_WORDS, longest=_REMEMBERED_LENGTH)
        """The numbers of a word and of its character n-grams: int64 (n,)."""

    def count(
        self, products: Iterable[Product]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return (rows, terms, counts) of all known terms, ordered by row, then term."""
        found = [self._count_part(part) for part in _in_parts(products)]
        starts = np.cumsum([0, *(size for size, *_ in found)])
        none = np.empty(0, np.int64)
        rows = [one + start for (_, one, _, _), start in zip(found, starts, strict=False)]
        return (
            np.concatenate([none, *rows]),
            np.concatenate([none, *(terms for _, _, terms, _ in found)]),
            np.concatenate([none, *(counts for *_, counts in found)]),
        )

    def _count_part(
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
        ids = np.concatenate([*of_words, self.numbers(others)])
        keys, counts = np.unique((occurrences << 32 | ids)[ids >= 0], return_counts=True)
        return len(rows), keys >> 32, keys & 0xFFFFFFFF, counts

    def _word(self, word: str) -> NDArray[np.int64]:
        return self.numbers((f"w:{word}", *self._character_ngrams(word)))

    def phrases(self, field_words: Sequence[str]) -> Iterator[tuple[range, str]]:
        """Yield the word n-grams of two words and more, each with its words' positions."""
        found = self._joined(field_words)
        for size in range(2, self._spec.word_ngram_max + 1):
            for at in range(len(field_words) - size + 1):
                yield range(at, at + size), next(found)

    def _joined(self, field_words: Sequence[str]) -> Iterator[str]:
        """Return the word n-grams of two words and more, the shorter ones first."""
        by_size = [
            map(" ".join, zip(*[field_words[at:] for at in range(size)], strict=False))
            for size in range(2, self._spec.word_ngram_max + 1)
        ]
        return chain.from_iterable(by_size)

    def numbers(self, terms: Iterable[str]) -> NDArray[np.int64]:
        """Return the terms' numbers, -1 for unknown ones: int64 (terms,)."""
        return np.fromiter(self._lookup(terms), np.int64)

    def _attributes(self, product: Product) -> Iterator[str]:
        """Yield the terms of the manufacturer and the price."""
        maker = words(product.manufacturer)
        if maker:
            yield f"m:{' '.join(maker)}"
        if len(maker) > 1:
            yield from (f"m:{word}" for word in maker)
        if product.price is not None:
            scale = self._spec.price_bins_per_doubling
            yield f"p:{int(scale * math.log2(1 + product.price))}"

    def _character_ngrams(self, word: str) -> Iterator[str]:
        padded = f" {word} "
        for size in range(self._spec.char_ngram_min, self._spec.char_ngram_max + 1):
            for at in range(len(padded) - size + 1):
                yield f"c:{padded[at : at + size]}"


def _lengths(ends: Sequence[int]) -> NDArray[np.int64]:
    """Return how long the runs are that end where `ends` says."""
    return np.diff(ends, prepend=0)


def _in_parts(products: Iterable[Product]) -> Iterator[list[Product]]:
    """Cut products into parts: a long text has far more occurrences of terms than terms."""
    remaining = iter(products)
    while part := list(islice(remaining, _COUNTED_TOGETHER)):
        yield part


class Featurizer:
    """Turn products into features, with a vocabulary that no longer changes.

    `terms` are the vocabulary in order; `document_frequency` (same length) says how many of the
    `documents` products it was collected from have each term. `pieces` and `vectors` are those of
    `WordVectors`.
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
        self._numbers = {term: number for number, term in enumerate(terms)}
        number = self._numbers.get
        self.counter = TermCounter(spec, lambda terms: map(number, terms, repeat(-1)))
        # The last one, at -1, is that of terms which are not in the vocabulary.
        frequency = np.append(document_frequency, 0)
        self._idf = np.log((1 + documents) / (1 + frequency)) + 1
        blocks = list(spec.weights)
        self._block = np.array([blocks.index(term[0]) for term in terms], np.int64)
        self._weights = np.array([spec.weights[block] for block in blocks])
        self.vector_weight = spec.vector_weight
        self.word_vectors = WordVectors(pieces, vectors, self._word_idf)

    def transform(self, products: Sequence[Product]) -> Features:
        """Return the features of the products, in order; float32, as the scorer reads them."""
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
        """Weigh counted terms and scale each product's blocks to unit length."""
        values = (1 + np.log(counts)) * self._idf[terms]
        blocks = len(self._weights)
        slots = rows * blocks + self._block[terms]
        norms = np.sqrt(np.bincount(slots, values * values, minlength=size * blocks))
        values *= self._weights[self._block[terms]] / norms[slots]
        return np.asarray(values, np.float32)

    def _word_idf(self, word: str) -> float:
        return float(self._idf[self._numbers.get(f"w:{word}", -1)])
