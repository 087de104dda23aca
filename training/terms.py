"""The vocabulary and the feature matrix of a training set, made with the serving side's code."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from aisle.errors import DataError
from aisle.features import Features, FeatureSpec, Featurizer, TermCounter
from aisle.product import Product
from training import parameters
from training.progress import track


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Terms in order, and how many of the `documents` products each is in."""

    terms: list[str]
    document_frequency: NDArray[np.int64]
    documents: int

    def featurizer(self, spec: FeatureSpec) -> Featurizer:
        """Return the serving side's featurizer for this vocabulary."""
        return Featurizer(
            spec,
            self.terms,
            document_frequency=self.document_frequency,
            documents=self.documents,
        )


def feature_spec(settings: parameters.Features) -> FeatureSpec:
    """Return the part of the settings that serving needs."""
    return FeatureSpec(
        word_ngram_max=settings.word_ngram_max,
        char_ngram_min=settings.char_ngram_min,
        char_ngram_max=settings.char_ngram_max,
        price_bins_per_doubling=settings.price_bins_per_doubling,
        weights=settings.weights,
    )


def collect(
    products: Sequence[Product], settings: parameters.Features, *, distinct: int, max_terms: int
) -> tuple[Vocabulary, csr_matrix]:
    """Collect the vocabulary of products and return it with their feature matrix.

    Terms in fewer than `min_document_frequency` of the first `distinct` products (those that are
    no copies) are left out, and of the rest the rarest beyond `max_terms`. The matrix is float64
    (products, terms), as liblinear wants it. Raises DataError where no term is left.
    """
    spec = feature_spec(settings)
    numbers: dict[str, int] = {}
    counter = TermCounter(spec, lambda term: numbers.setdefault(term, len(numbers)))
    rows, terms, counts = counter.count(track(products, "collecting terms"))
    frequency = np.bincount(terms[rows < distinct], minlength=len(numbers))
    names = list(numbers)

    kept = np.flatnonzero(frequency >= settings.min_document_frequency)
    if not len(kept):
        raise DataError(
            f"The {distinct} products to learn from have no word or part of a word in common: none "
            f"is in {settings.min_document_frequency} of them. Give more products, or better texts."
        )
    if len(kept) > max_terms:
        kept = kept[np.argsort(-frequency[kept], kind="stable")[:max_terms]]
    # In alphabetical order: the vocabulary does not depend on the order of the products.
    kept = np.array(sorted(kept, key=names.__getitem__), np.int64)
    new_number = np.full(len(names), -1)
    new_number[kept] = np.arange(len(kept))
    vocabulary = Vocabulary([names[at] for at in kept], frequency[kept], distinct)

    terms = new_number[terms]
    known = terms >= 0
    order = np.lexsort((terms[known], rows[known]))
    counted = (rows[known][order], terms[known][order], counts[known][order])
    features = vocabulary.featurizer(spec).weigh(*counted, len(products))
    return vocabulary, matrix(features, len(kept))


def matrix(features: Features, terms: int) -> csr_matrix:
    """Return features as a sparse float64 matrix (products, terms)."""
    shape = (len(features.indptr) - 1, terms)
    values = features.values.astype(np.float64)
    return csr_matrix((values, features.indices, features.indptr), shape=shape)
