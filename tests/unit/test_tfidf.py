"""Products -> terms -> features: the terms, then their TF-IDF values."""

from dataclasses import replace

import numpy as np
import pytest

from aisle.model import tfidf
from aisle.model.tfidf import FeatureSpec, Featurizer, TermCounter
from aisle.product import Product
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
    fields = ("name", "description", "manufacturer", "price")
    return [Product(**{name: row[name] for name in fields}) for row in products(count, seed=seed)]


def counted(product, spec=SPEC):
    """Return all terms of a product, each with its count."""
    numbers = {}
    counter = TermCounter(
        spec, lambda terms: [numbers.setdefault(term, len(numbers)) for term in terms]
    )
    _, terms, counts = counter.count([product])
    names = list(numbers)
    return {names[term]: int(count) for term, count in zip(terms, counts, strict=True)}


def block(terms, letter):
    """Return the terms of a block, without the letter."""
    return {term[2:] for term in terms if term[0] == letter}


def small(terms, **changes):
    """Return a featurizer of a few terms, each in one of four documents unless said otherwise."""
    frequency = changes.pop("document_frequency", [1] * len(terms))
    return Featurizer(
        changes.pop("spec", SPEC),
        terms,
        document_frequency=np.array(frequency),
        documents=changes.pop("documents", 4),
        pieces=PIECES,
        vectors=VECTORS,
    )


def rows(found):
    """Return each product's terms with their values."""
    return [
        dict(zip(found.indices[a:b].tolist(), found.values[a:b].tolist(), strict=True))
        for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)
    ]


def known_terms():
    """Return every third term of 200 made-up products, and how many of them have each."""
    numbers = {}
    counter = TermCounter(
        SPEC, lambda terms: [numbers.setdefault(term, len(numbers)) for term in terms]
    )
    _, terms, _ = counter.count(made_up_products(200))
    return list(numbers)[::3], np.bincount(terms)[::3]


@pytest.fixture(scope="module")
def whole():
    """Give a featurizer of these terms."""
    terms, frequency = known_terms()
    return small(terms, document_frequency=frequency, documents=200)


@pytest.mark.parametrize("field", ["name", "description"])
def test_words_and_pairs(field):
    """A text's words and neighbouring words are terms, however they were typed."""
    terms = counted(Product(**{field: "Red &amp; <b>PAN</b> lid"}))
    assert block(terms, "w") == {"red", "pan", "lid", "red pan", "pan lid"}


@pytest.mark.parametrize(
    ("longest", "expected"), [(1, 0), (2, 3), (3, 5), (4, 6), (5, 6)], ids="up to {}".format
)
def test_longer_phrases(longest, expected):
    """A spec says how long phrases are; four words have 3 pairs, 2 triples and 1 quadruple."""
    spec = replace(SPEC, word_ngram_max=longest)
    terms = counted(Product(description="one two three four"), spec)
    assert sum(" " in term for term in block(terms, "w")) == expected


def test_fields_do_not_run_together():
    """The last word of the name and the first of the description are no pair."""
    terms = counted(Product(name="red pan", description="lid"))
    assert block(terms, "w") == {"red", "pan", "lid", "red pan"}


def test_character_ngrams():
    """A word's n-grams reach over its ends by a space, and not into the next word."""
    terms = counted(Product(description="pan XL"))
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
    """A name's words and pairs are terms of their own where a description stands beside it."""
    assert block(counted(Product(name, description)), "n") == expected


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
    """A manufacturer is its whole name, and its words where it has several, each once."""
    assert counted(Product(manufacturer=typed)) == {f"m:{term}": 1 for term in expected}


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
    """A price is one term, floor(2 log2(1 + price)); a missing price is none."""
    assert set(counted(Product(price=price))) == expected


def test_repeated_words_are_counted():
    """A word counts as often as it is there, in name and description together."""
    terms = counted(Product(name="red red pan", description="red"))
    found = [terms[term] for term in ("w:red", "w:red red", "n:red", "w:pan", "c:red")]
    assert found == [3, 1, 2, 1, 3]


def test_weights_on_paper():
    """A term weighs (1 + ln tf)(1 + ln((1 + n) / (1 + df))), scaled to its block's weight.

    Here: red (1 + ln 2)(1 + ln 5/2) = 3.24456 and pan 1 + ln 5/4 = 1.22314, of length 3.46746.
    """
    spec = replace(SPEC, weights={"w": 2.0})
    featurizer = small(["w:pan", "w:red"], document_frequency=[3, 1], spec=spec)
    found = featurizer.transform([Product(description="red pan red")])
    assert found.values == pytest.approx([0.705498, 1.871433], abs=1e-5)


def test_blocks_have_their_length(whole):
    """Every block of a product that has known terms is as long as its weight."""
    found = whole.transform(made_up_products(100, seed=1))
    letters = np.array([term[0] for term in known_terms()[0]])[found.indices]
    product = np.repeat(np.arange(100), np.diff(found.indptr))
    lengths = {
        (row, letter): np.linalg.norm(found.values[(product == row) & (letters == letter)])
        for row, letter in zip(product.tolist(), letters.tolist(), strict=True)
    }
    expected = {key: WEIGHTS[key[1]] for key in lengths}
    assert lengths == pytest.approx(expected, rel=1e-5)


def test_every_block_is_met(whole):
    """Made-up products have terms of all five blocks, so the test above is about all of them."""
    found = whole.transform(made_up_products(100, seed=1))
    terms = known_terms()[0]
    assert {terms[at][0] for at in found.indices} == set("wcnmp")


def test_unknown_terms_are_ignored():
    """A word that the vocabulary does not have changes no value."""
    featurizer = small(["n:pan", "w:lid", "w:pan"])
    plain, more = Product("pan", "lid"), Product("pan zyx", "lid zyx")
    assert rows(featurizer.transform([more])) == rows(featurizer.transform([plain]))


@pytest.mark.parametrize(
    "product", [Product(), Product(name=""), Product(name="zyx", manufacturer="zyx", price=7)]
)
def test_product_without_known_terms(product):
    """A product without a known term is an empty row, between others too."""
    featurizer = small(["w:pan"])
    found = rows(featurizer.transform([Product("pan"), product, Product("pan")]))
    assert found == [{0: 1.0}, {}, {0: 1.0}]


def test_no_products(whole):
    """No products are a matrix without rows."""
    found = whole.transform([])
    assert (found.indptr.tolist(), len(found.indices), len(found.values)) == ([0], 0, 0)


def test_order_of_products():
    """The rows come in the order of the products."""
    featurizer = small(["w:lid", "w:pan", "w:wok"])
    found = rows(featurizer.transform([Product("wok"), Product("lid"), Product("pan")]))
    assert found == [{2: 1.0}, {0: 1.0}, {1: 1.0}]


def test_batch_equals_one_by_one(whole):
    """A product's features do not depend on the others in the batch."""
    batch = made_up_products(60, seed=2)
    one_by_one = [rows(whole.transform([product]))[0] for product in batch]
    assert rows(whole.transform(batch)) == one_by_one


def test_long_description_leaves_the_name_alone():
    """The values of the name's block are the same, however long the description."""
    featurizer = small(["n:pan", "n:red", "w:lid", "w:pan", "w:red"], document_frequency=range(5))
    short, long = rows(
        featurizer.transform([Product("red pan", "lid"), Product("red pan", "pan lid " * 500)])
    )
    assert (long[0], long[1]) == (short[0], short[1])


def test_types(whole):
    """Indices are int64, values float32."""
    found = whole.transform(made_up_products(5))
    types = (found.indptr.dtype, found.indices.dtype, found.values.dtype)
    assert types == (np.int64, np.int64, np.float32)


def test_terms_ascend(whole):
    """Within a row the terms ascend, each there once."""
    found = whole.transform(made_up_products(50, seed=3))
    steps = np.diff(found.indices)
    within = np.diff(np.repeat(np.arange(50), np.diff(found.indptr))) == 0
    assert (steps[within] > 0).all()


def test_word_cache(whole, monkeypatch):
    """Features are the same with cached words, with an empty cache, and without any."""
    batch = [*made_up_products(40, seed=4), Product("x" * 40 + " pan")]
    whole.transform(batch)
    cached = rows(whole.transform(batch))
    monkeypatch.setattr(tfidf, "CACHED_WORDS", 0)
    terms, frequency = known_terms()
    uncached = small(terms, document_frequency=frequency, documents=200)
    assert rows(uncached.transform(batch)) == cached
    assert not uncached.counter.word
