"""Products -> features: which terms a product has, and their TF-IDF values."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from aisle.model import tfidf
from aisle.model.tfidf import FeatureSpec, Featurizer, TermCounter
from aisle.product import FIELDS, Product
from tests.made_up import products

WEIGHTS = {"w": 1.0, "c": 0.75, "n": 2.0, "m": 0.5, "p": 0.25}
SPEC = FeatureSpec(
    word_ngram_max=2,
    char_ngram_min=3,
    char_ngram_max=4,
    price_bins_per_doubling=2,
    weights=WEIGHTS,
    vector_weight=0.5,
)
PIECES = ["pan", "##s", "red"]
VECTORS = np.array([[0, 100], [0, 100], [100, 0]], np.int8)


def made_up_products(count, seed=0):
    """Return made-up products without their categories."""
    return [
        Product(**{field: row[field] for field in FIELDS}) for row in products(count, seed=seed)
    ]


def term_counts(product, spec=SPEC):
    """Return all terms of a product, each with its count."""
    indices = {}
    counter = TermCounter(
        spec, lambda terms: [indices.setdefault(term, len(indices)) for term in terms]
    )
    _, terms, counts = counter.count([product])
    names = list(indices)
    return {names[term]: int(count) for term, count in zip(terms, counts, strict=True)}


def block(terms, letter):
    """Return the terms of a block, without the letter."""
    return {term[2:] for term in terms if term[0] == letter}


def featurizer_of(terms, **changes):
    """Return a featurizer of a few terms, each in one of four documents by default."""
    frequency = changes.pop("document_frequency", [1] * len(terms))
    return Featurizer(
        changes.pop("spec", SPEC),
        terms,
        document_frequency=np.array(frequency),
        documents=changes.pop("documents", 4),
        pieces=PIECES,
        vectors=VECTORS,
    )


def rows(features):
    """Return a dictionary of terms and values for each product."""
    bounds = pairwise(features.indptr)
    return [
        dict(
            zip(
                features.indices[start:stop].tolist(),
                features.values[start:stop].tolist(),
                strict=True,
            )
        )
        for start, stop in bounds
    ]


def vocabulary():
    """Return a third of the terms of 200 made-up products, and how many products have each."""
    indices = {}
    counter = TermCounter(
        SPEC, lambda terms: [indices.setdefault(term, len(indices)) for term in terms]
    )
    _, terms, _ = counter.count(made_up_products(200))
    return list(indices)[::3], np.bincount(terms)[::3]


def make_featurizer():
    """Return a featurizer of this vocabulary."""
    terms, frequency = vocabulary()
    return featurizer_of(terms, document_frequency=frequency, documents=200)


@pytest.fixture(scope="module")
def featurizer():
    """Give that featurizer."""
    return make_featurizer()


@pytest.mark.parametrize("field", ["name", "description"])
def test_words_and_pairs(field):
    """A text's normalized words and pairs of adjacent words are terms."""
    terms = term_counts(Product(**{field: "Red &amp; <b>PAN</b> lid"}))
    assert block(terms, "w") == {"red", "pan", "lid", "red pan", "pan lid"}


@pytest.mark.parametrize(
    ("longest", "expected"), [(1, 0), (2, 3), (3, 5), (4, 6), (5, 6)], ids="up to {}".format
)
def test_longer_phrases(longest, expected):
    """Word n-grams have up to `word_ngram_max` words: of four, 3 pairs, 2 triples, 1 quadruple."""
    spec = replace(SPEC, word_ngram_max=longest)
    terms = term_counts(Product(description="one two three four"), spec)
    assert sum(" " in term for term in block(terms, "w")) == expected


def test_fields_do_not_run_together():
    """The last word of the name and the first of the description form no pair."""
    terms = term_counts(Product(name="red pan", description="lid"))
    assert block(terms, "w") == {"red", "pan", "lid", "red pan"}


def test_character_ngrams():
    """A word is padded with a space on either side; its n-grams do not reach the next word."""
    terms = term_counts(Product(description="pan XL"))
    assert block(terms, "c") == {" pa", "pan", "an ", " pan", "pan ", " xl", "xl ", " xl "}


@pytest.mark.parametrize(
    ("name", "description", "expected"),
    [
        ("Red Pan", "with lid", {"red", "pan", "red pan"}),
        ("Red Pan", None, set()),
        ("Red Pan", "!", set()),
        (None, "with lid", set()),
    ],
)
def test_name_block(name, description, expected):
    """A name's words and pairs are terms of a block of their own if there is a description."""
    assert block(term_counts(Product(name, description)), "n") == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Ostra", {"ostra"}),
        ("Brindle &amp; Co", {"brindle co", "brindle", "co"}),
        ("!", set()),
        (None, set()),
    ],
)
def test_manufacturer_terms(typed, expected):
    """A manufacturer's terms are its full name and, if it has several words, each word."""
    assert term_counts(Product(manufacturer=typed)) == {f"m:{term}": 1 for term in expected}


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (0, {"p:0"}),
        (0.41, {"p:0"}),
        (0.42, {"p:1"}),
        (1, {"p:2"}),
        (3, {"p:4"}),
        (9.99, {"p:6"}),
        (1e12, {"p:79"}),
        (1e300, {"p:1993"}),
        (None, set()),
    ],
)
def test_price_term(price, expected):
    """A price is one term, floor(2 log2(1 + price)); a missing price has none."""
    assert set(term_counts(Product(price=price))) == expected


def test_repeated_words_are_counted():
    """A term's count is the number of its occurrences in name and description together."""
    counts = term_counts(Product(name="red red pan", description="red"))
    terms = ("w:red", "w:red red", "n:red", "w:pan", "c:red")
    assert [counts[term] for term in terms] == [3, 1, 2, 1, 3]


def test_weights_on_paper():
    """A term weighs (1 + ln tf)(1 + ln((1 + n) / (1 + df))), scaled to its block's weight.

    Here: red (1 + ln 2)(1 + ln 5/2) = 3.24456 and pan 1 + ln 5/4 = 1.22314, of length 3.46746.
    """
    spec = replace(SPEC, weights={"w": 2.0})
    featurizer = featurizer_of(["w:pan", "w:red"], document_frequency=[3, 1], spec=spec)
    features = featurizer.transform([Product(description="red pan red")])
    assert features.values == pytest.approx([0.705498, 1.871433], abs=1e-5)


def test_vectors_on_paper():
    """Vectors are as long as `vector_weight`; their words are weighed by idf.

    Here: red 1 + ln 5/2 = 1.91629, pan 1 + ln 5/4 = 1.22314. "pans" is outside the vocabulary, so
    it weighs 1 + ln 5 = 2.60944, and its two pieces add 2 / sqrt(2) times as much.
    """
    featurizer = featurizer_of(["w:pan", "w:red"], document_frequency=[3, 1])
    features = featurizer.transform([Product("red pan"), Product("red pans")])
    expected = np.array([[1.91629, 1.22314], [1.91629, 2.60944 * np.sqrt(2)]])
    expected *= 0.5 / np.linalg.norm(expected, axis=1, keepdims=True)
    assert features.vectors == pytest.approx(expected, abs=1e-5)


def test_blocks_have_their_length(featurizer):
    """The length of each block of a product is the block's weight."""
    features = featurizer.transform(made_up_products(100, seed=1))
    letters = np.array([term[0] for term in vocabulary()[0]])[features.indices]
    product = np.repeat(np.arange(100), np.diff(features.indptr))
    lengths = {
        (row, letter): np.linalg.norm(features.values[(product == row) & (letters == letter)])
        for row, letter in zip(product.tolist(), letters.tolist(), strict=True)
    }
    assert {letter for _, letter in lengths} == set("wcnmp")
    expected = {(row, letter): WEIGHTS[letter] for row, letter in lengths}
    assert lengths == pytest.approx(expected, rel=1e-5)


def test_unknown_terms_are_ignored():
    """A word outside the vocabulary changes no value."""
    featurizer = featurizer_of(["n:pan", "w:lid", "w:pan"])
    known, mixed = Product("pan", "lid"), Product("pan zyx", "lid zyx")
    assert rows(featurizer.transform([mixed])) == rows(featurizer.transform([known]))


@pytest.mark.parametrize(
    "product", [Product(), Product(name=""), Product(name="zyx", manufacturer="zyx", price=7)]
)
def test_product_without_known_terms(product):
    """A product without a known term is an empty row, also between other products."""
    featurizer = featurizer_of(["w:lid", "w:pan"])
    features = featurizer.transform([Product("pan"), product, Product("lid")])
    assert rows(features) == [{1: 1.0}, {}, {0: 1.0}]


def test_no_products(featurizer):
    """No products give a matrix without rows."""
    features = featurizer.transform([])
    assert (features.indptr.tolist(), len(features.indices), len(features.values)) == ([0], 0, 0)


def test_order_of_products():
    """The rows are in the order of the products."""
    featurizer = featurizer_of(["w:lid", "w:pan", "w:wok"])
    features = featurizer.transform([Product("wok"), Product("lid"), Product("pan")])
    assert rows(features) == [{2: 1.0}, {0: 1.0}, {1: 1.0}]


def test_batch_equals_one_by_one(featurizer):
    """A product's features do not depend on the others, in a batch of several chunks either."""
    batch = made_up_products(300, seed=2)
    one_by_one = [rows(featurizer.transform([product]))[0] for product in batch]
    assert rows(featurizer.transform(batch)) == one_by_one


def test_long_description_leaves_the_name_alone():
    """The values of the name's block do not depend on the length of the description."""
    terms = ["n:pan", "n:red", "w:lid", "w:pan", "w:red"]
    featurizer = featurizer_of(terms, document_frequency=range(5))
    short, long = rows(
        featurizer.transform([Product("red pan", "lid"), Product("red pan", "pan lid " * 500)])
    )
    assert (long[0], long[1]) == (short[0], short[1])


def test_types(featurizer):
    """Indices are int64, values and vectors float32."""
    features = featurizer.transform(made_up_products(5))
    assert (features.indptr.dtype, features.indices.dtype) == (np.int64, np.int64)
    assert (features.values.dtype, features.vectors.dtype) == (np.float32, np.float32)


def test_terms_ascend(featurizer):
    """Within a row the terms are distinct and ascend."""
    features = featurizer.transform(made_up_products(50, seed=3))
    steps = np.diff(features.indices)
    within = np.diff(np.repeat(np.arange(50), np.diff(features.indptr))) == 0
    assert (steps[within] > 0).all()


def test_word_cache(featurizer, monkeypatch):
    """Features are the same with cached words and without a cache."""
    batch = [*made_up_products(40, seed=4), Product("x" * 40 + " pan")]
    featurizer.transform(batch)
    cached = rows(featurizer.transform(batch))
    monkeypatch.setattr(tfidf, "CACHED_WORDS", 0)
    uncached = make_featurizer()
    assert rows(uncached.transform(batch)) == cached
    assert not uncached.counter.word
