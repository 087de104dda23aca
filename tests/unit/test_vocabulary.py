"""The vocabulary: which terms of the training products it keeps."""

from dataclasses import replace

import pytest

from aisle.product import Product
from aisle_training import parameters
from aisle_training.fit.vocabulary import collect

SETTINGS = parameters.load().features
PRODUCTS = [
    Product(f"pan {word} {word}er", f"steel {word}") for word in ("hot", "cold", "warm")
] * 4


def collect_from(products, *, max_terms=10_000, **changes):
    """Return the vocabulary and the matrix of distinct products."""
    settings = replace(SETTINGS, **changes)
    return collect(products, settings, distinct=len(products), max_terms=max_terms)


def test_matrix_has_the_vocabulary_as_columns():
    """The matrix has a row for each product, a column for each term and each dimension."""
    vocabulary, features = collect_from(PRODUCTS)
    width = len(vocabulary.terms) + vocabulary.vectors.shape[1]
    assert features.shape == (len(PRODUCTS), width)
    assert vocabulary.terms == sorted(vocabulary.terms)


@pytest.mark.parametrize(("least", "known"), [(4, True), (5, False)])
def test_rare_terms_are_left_out(least, known):
    """A term in fewer products than `min_document_frequency` is not in the vocabulary.

    "hot" is in 4 products, twice in each.
    """
    vocabulary, _ = collect_from(PRODUCTS, min_document_frequency=least)
    assert ("w:hot" in vocabulary.terms) is known


@pytest.mark.parametrize(
    ("times", "share", "known"),
    [(8, 0.05, True), (9, 0.05, False), (9, 0.99, False), (9, 1.0, True)],
)
def test_common_ngrams_are_left_out(times, share, known):
    """A character n-gram in more than 100 and too large a share of products is left out.

    " pan" is in all 96 or 108 products. Words are kept, however common.
    """
    vocabulary, _ = collect_from(PRODUCTS * times, char_ngram_max_share=share)
    assert ("c: pan" in vocabulary.terms) is known
    assert "w:pan" in vocabulary.terms


def test_each_block_keeps_its_share():
    """Where the vocabulary exceeds `max_terms`, each block keeps the same share of its terms."""
    full, cut = collect_from(PRODUCTS)[0].terms, collect_from(PRODUCTS, max_terms=40)[0].terms
    sizes = {block: sum(term[0] == block for term in cut) for block in "wcn"}
    expected = {block: sum(term[0] == block for term in full) * 40 / len(full) for block in "wcn"}
    assert sizes == pytest.approx(expected, abs=1)


def test_copies_do_not_count():
    """Copies of products do not raise document frequencies, but have rows in the matrix."""
    vocabulary, features = collect(PRODUCTS, SETTINGS, distinct=3, max_terms=10_000)
    assert "w:hot" not in vocabulary.terms
    frequency = dict(zip(vocabulary.terms, vocabulary.document_frequency.tolist(), strict=True))
    assert (frequency["w:pan"], vocabulary.documents) == (3, 3)
    assert features.shape[0] == len(PRODUCTS)
