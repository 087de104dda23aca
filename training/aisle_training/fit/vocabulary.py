"""The vocabulary and the feature matrix of a training set, made with the serving side's code."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack

from aisle.errors import DataError
from aisle.model.tfidf import Features, FeatureSpec, Featurizer, TermCounter
from aisle.product import Product
from aisle.progress import track
from aisle_training import parameters
from aisle_training.fit import word_pieces

_PART = 512
# A character n-gram in at most so many products is not common, however small the catalogue is.
_ALWAYS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Terms in order, how many of the `documents` products have each, and word pieces.

    `pieces` and `vectors` int8 (pieces, dimensions) are those of
    `aisle.model.word_vectors.WordVectors`.
    """

    terms: list[str]
    document_frequency: NDArray[np.int64]
    documents: int
    pieces: list[str]
    vectors: NDArray[np.int8]

    def featurizer(self, spec: FeatureSpec) -> Featurizer:
        """Return the serving side's featurizer for this vocabulary."""
        return Featurizer(
            spec,
            self.terms,
            document_frequency=self.document_frequency,
            documents=self.documents,
            pieces=self.pieces,
            vectors=self.vectors,
        )


def feature_spec(settings: parameters.FeatureParameters) -> FeatureSpec:
    """Return the part of the settings that serving needs."""
    return FeatureSpec(
        word_ngram_max=settings.word_ngram_max,
        char_ngram_min=settings.char_ngram_min,
        char_ngram_max=settings.char_ngram_max,
        price_bins_per_doubling=settings.price_bins_per_doubling,
        weights=settings.weights,
        vector_weight=settings.vector_weight,
    )


def collect(
    products: Sequence[Product],
    settings: parameters.FeatureParameters,
    *,
    distinct: int,
    max_terms: int,
) -> tuple[Vocabulary, csr_matrix]:
    """Collect the vocabulary of products and return it with their feature matrix.

    Left out are terms in fewer than `min_document_frequency` of the first `distinct` products (the
    others are copies), character n-grams in too many products, and the rarest terms beyond
    `max_terms`. The matrix is float64 (products, terms + dimensions), as liblinear needs it. Raises
    DataError where no term remains.
    """
    spec = feature_spec(settings)
    vocabulary = _vocabulary(products[:distinct], settings, max_terms=max_terms)
    featurizer = vocabulary.featurizer(spec)
    parts = [
        matrix(featurizer.transform(products[start : start + _PART]), len(vocabulary.terms))
        for start in track(range(0, len(products), _PART), "weighing terms")
    ]
    return vocabulary, vstack(parts, format="csr")


def _vocabulary(
    products: Sequence[Product], settings: parameters.FeatureParameters, *, max_terms: int
) -> Vocabulary:
    numbers: dict[str, int] = {}
    counter = TermCounter(
        feature_spec(settings),
        lambda terms: (numbers.setdefault(term, len(numbers)) for term in terms),
    )
    frequency = np.zeros(0, np.int64)
    for start in track(range(0, len(products), _PART), "collecting terms"):
        _, terms, _ = counter.count(products[start : start + _PART])
        counts = np.bincount(terms, minlength=len(numbers))
        counts[: len(frequency)] += frequency
        frequency = counts

    names = list(numbers)
    common = max(_ALWAYS_KEPT, settings.char_ngram_max_share * len(products))
    ngrams = np.array([name.startswith("c:") for name in names], np.bool_)
    kept = np.flatnonzero(
        (frequency >= settings.min_document_frequency) & ~(ngrams & (frequency > common))
    )
    if not len(kept):
        raise DataError(
            f"No word or part of a word occurs in at least {settings.min_document_frequency} of "
            f"the {len(products)} products to learn from. Expected texts with words in common. "
            "Give more products, or better texts."
        )
    if len(kept) > max_terms:
        kept = _most_frequent(kept, names, frequency, share=max_terms / len(kept))
    # In alphabetical order: the vocabulary does not depend on the order of the products.
    kept = np.array(sorted(kept, key=names.__getitem__), np.int64)
    pieces, vectors = word_pieces.packaged()
    return Vocabulary([names[at] for at in kept], frequency[kept], len(products), pieces, vectors)


def _most_frequent(
    kept: NDArray[np.int64], names: Sequence[str], frequency: NDArray[np.int64], *, share: float
) -> NDArray[np.int64]:
    """Keep the same share of each block: by frequency alone, n-grams would displace words."""
    blocks: dict[str, list[int]] = {}
    for at in sorted(kept, key=lambda at: (-frequency[at], names[at])):
        blocks.setdefault(names[at][0], []).append(int(at))
    return np.array([at for block in blocks.values() for at in block[: ceil(len(block) * share)]])


def matrix(features: Features, terms: int) -> csr_matrix:
    """Return features as a sparse float64 matrix (products, terms + dimensions)."""
    shape = (len(features.indptr) - 1, terms)
    values = features.values.astype(np.float64)
    sparse = csr_matrix((values, features.indices, features.indptr), shape=shape)
    return csr_matrix(hstack([sparse, csr_matrix(features.vectors.astype(np.float64))]))
