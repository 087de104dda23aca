"""The vocabulary: which terms stay."""

from dataclasses import replace

import pytest

from aisle.product import Product
from aisle_training import parameters
from aisle_training.fit.vocabulary import collect

SETTINGS = parameters.load().features
PRODUCTS = [
    Product(f"pan {word} {word}er", f"steel {word}") for word in ("hot", "cold", "warm")
] * 4


def terms(**changes):
    """Collect the vocabulary of a few products."""
    most = changes.pop("max_terms", 10_000)
    settings = replace(SETTINGS, **changes)
    return collect(PRODUCTS, settings, distinct=len(PRODUCTS), max_terms=most)


def test_matrix_has_the_vocabulary_as_columns():
    """The matrix has a row for each product, a column for each term and each dimension."""
    vocabulary, features = terms()
    width = len(vocabulary.terms) + vocabulary.vectors.shape[1]
    assert features.shape == (len(PRODUCTS), width)
    assert vocabulary.terms == sorted(vocabulary.terms)


@pytest.mark.parametrize(("least", "known"), [(4, True), (5, False)])
def test_rare_terms_are_left_out(least, known):
    """A term in fewer products than asked for is not in the vocabulary."""
    assert ("w:hot" in terms(min_document_frequency=least)[0].terms) is known


@pytest.mark.parametrize(("times", "known"), [(8, True), (9, False)])
def test_common_fragments_are_left_out(times, known):
    """A fragment in a large share of many products is left out; a word is not."""
    products = PRODUCTS * times
    settings = replace(SETTINGS, char_ngram_max_share=0.05)
    vocabulary, _ = collect(products, settings, distinct=len(products), max_terms=10_000)
    assert ("c: pan" in vocabulary.terms) is known
    assert "w:pan" in vocabulary.terms


def test_each_block_keeps_its_share():
    """Where the vocabulary has to be cut, fragments do not displace words."""
    whole, cut = terms()[0].terms, terms(max_terms=40)[0].terms
    share = {block: sum(term[0] == block for term in cut) for block in "wcn"}
    expected = {block: sum(term[0] == block for term in whole) * 40 / len(whole) for block in "wcn"}
    assert share == pytest.approx(expected, abs=1)


def test_copies_do_not_count():
    """Products that are copies of others make no term more frequent."""
    vocabulary, features = collect(PRODUCTS, SETTINGS, distinct=3, max_terms=10_000)
    assert "w:hot" not in vocabulary.terms
    assert "w:pan" in vocabulary.terms
    assert features.shape[0] == len(PRODUCTS)
