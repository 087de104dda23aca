"""Evidence: the words that support a category, located in the text as typed."""

import numpy as np
import pytest

from aisle.model.evidence import find_evidence
from aisle.model.tfidf import FeatureSpec, TermCounter
from aisle.product import Product
from tests.made_up import products

SPEC = FeatureSpec(
    word_ngram_max=2,
    char_ngram_min=3,
    char_ngram_max=3,
    price_bins_per_doubling=1,
    weights=dict.fromkeys("wcnmp", 1.0),
    vector_weight=1.0,
)
PRODUCTS = [
    Product(row["name"], row["description"], row["manufacturer"], row["price"])
    for row in products(80, seed=3)
]


def evidence(product, vector=None, **contributions):
    """Return the evidence of a model whose terms contribute this much (`w_pan` for `w:pan`).

    `vector` is what each word of a field contributes through the product's vector.
    """
    indices = {
        term.replace("_", ":", 1).replace("_", " "): index
        for index, term in enumerate(contributions)
    }
    counter = TermCounter(SPEC, lambda terms: [indices.get(term, -1) for term in terms])
    _, terms, _ = counter.count([product])
    values = np.array(list(contributions.values()), np.float32)
    return find_evidence(product, counter, terms, values[terms], vector or {})


def shares(fragments):
    """Return the texts and weights of fragments."""
    return [(fragment.text, fragment.weight) for fragment in fragments]


def test_a_word_has_its_share():
    """A word's weight is its share of all positive contributions."""
    fragments = evidence(Product(description="Red PAN, lid"), w_red=1.0, w_pan=3.0)
    assert shares(fragments) == [("PAN", 0.75), ("Red", 0.25)]


def test_words_against_the_category():
    """A word with a negative contribution is no evidence and does not change the other shares."""
    fragments = evidence(Product(description="red pan lid"), w_red=-5.0, w_pan=3.0, w_lid=1.0)
    assert shares(fragments) == [("pan", 0.75), ("lid", 0.25)]


@pytest.mark.parametrize("contribution", [-1.0, 0.0])
def test_no_positive_contribution(contribution):
    """Without a positive contribution there is no evidence."""
    assert evidence(Product(name="pan"), w_pan=contribution) == ()


def test_a_pair_is_shared_by_its_words():
    """The contribution of a word pair is divided between its two words."""
    fragments = evidence(Product(description="red pan"), w_red_pan=1.0, w_pan=1.0)
    assert shares(fragments) == [("pan", 0.75), ("red", 0.25)]


def test_character_ngrams_count_for_their_word():
    """The contribution of a character n-gram counts for the word that contains it."""
    fragments = evidence(Product(description="red pan"), c_pan=1.0, w_red=3.0)
    assert shares(fragments) == [("red", 0.75), ("pan", 0.25)]


def test_a_repeated_word_is_shared_by_its_occurrences():
    """A term's contribution is divided equally among its occurrences in all fields."""
    fragments = evidence(Product(name="pan", description="a pan pan lid"), w_pan=3.0, w_lid=2.0)
    assert [(fragment.field, fragment.start, fragment.weight) for fragment in fragments] == [
        ("description", 10, 0.4),
        ("name", 0, 0.2),
        ("description", 2, 0.2),
        ("description", 6, 0.2),
    ]


def test_terms_of_the_name():
    """A term of the name's block counts for the word in the name only."""
    fragments = evidence(Product(name="pan", description="pan"), n_pan=1.0)
    assert [(fragment.field, fragment.weight) for fragment in fragments] == [("name", 1.0)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("Ostra", [("Ostra", 1.0)]), ("Brindle &amp; Co", [("Brindle", 0.75), ("Co", 0.25)])],
)
def test_manufacturer(typed, expected):
    """A manufacturer's terms count for the words of the manufacturer field."""
    contributions = {"m_ostra": 1.0, "m_brindle_co": 1.0, "m_brindle": 1.0}
    fragments = evidence(Product(manufacturer=typed), **contributions)
    assert shares(fragments) == expected
    assert {fragment.field for fragment in fragments} == {"manufacturer"}


@pytest.mark.parametrize(
    ("typed", "start", "end"),
    [
        ("pan", 0, 3),
        ("🫖 🍳 pan", 4, 7),
        ("Caf&eacute; &#174; pan", 19, 22),
        ('<p class="pane">a <b>PAN</b></p>', 21, 24),
        ("R&D < pan", 6, 9),
        ("cre\u0302pe pan", 7, 10),
        ("p&#97;n", 0, 7),
        ("ｐａｎ", 0, 3),
    ],
)
def test_offsets(typed, start, end):
    """Offsets count code points of the field as typed, whatever precedes the word."""
    (fragment,) = evidence(Product(description=typed), w_pan=1.0)
    assert (fragment.start, fragment.end, fragment.text) == (start, end, typed[start:end])


@pytest.mark.parametrize(
    "product", [Product(), Product(name="lid"), Product(name="!", price=3.0), Product(price=3.0)]
)
def test_no_known_words(product):
    """A product without a word of the vocabulary has no evidence."""
    assert evidence(product, w_pan=1.0, p_2=1.0) == ()


def test_only_the_heaviest():
    """The evidence is the twelve heaviest fragments, wherever they are in the text."""
    words = [f"word{number}" for number in range(20)]
    contributions = {f"w_{word}": 1.0 + number for number, word in enumerate(words)}
    fragments = evidence(Product(description=" ".join(words)), **contributions)
    assert [fragment.text for fragment in fragments] == words[:7:-1]


def test_small_shares_are_left_out():
    """A fragment with less than a hundredth of the sum is left out; the others keep their share."""
    product = Product(description="red pan lid set")
    fragments = evidence(product, w_red=0.9, w_pan=60.0, w_lid=38.0, w_set=1.1)
    assert shares(fragments) == [("pan", 0.6), ("lid", 0.38), ("set", 0.011)]


@pytest.fixture(scope="module")
def explained(made_up_classifier):
    """Give made-up products, each with its evidence."""
    predictions = made_up_classifier.predict(PRODUCTS)
    return [
        (product, prediction.evidence)
        for product, prediction in zip(PRODUCTS, predictions, strict=True)
    ]


@pytest.fixture(scope="module")
def weights(explained):
    """Give the weights of each product's fragments."""
    return [[fragment.weight for fragment in fragments] for _, fragments in explained]


def test_fragments_are_as_typed(explained):
    """A fragment is the text of its field from its start to its end."""
    fragments = [
        (getattr(product, fragment.field), fragment)
        for product, evidence in explained
        for fragment in evidence
    ]
    assert [fragment.text for _, fragment in fragments] == [
        typed[fragment.start : fragment.end] for typed, fragment in fragments
    ]


def test_weights_are_shares(weights):
    """Weights are above 0 and add up to at most 1, apart from rounding."""
    assert all(0 < weight <= 1 for of_product in weights for weight in of_product)
    assert max(map(sum, weights)) <= 1.001


def test_weights_descend(weights):
    """The heaviest fragment comes first."""
    assert weights == [sorted(of_product, reverse=True) for of_product in weights]


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (Product(name="Tarn large black kettle"), "kettle"),
        (Product(name="silver A123", description="Toaster, silver; ideal as a gift"), "Toaster"),
        (Product(description="&bull; <b>Tulip bulbs</b>, 4, navy", price=20), "bulbs"),
    ],
)
def test_the_decisive_word_comes_first(made_up_classifier, product, expected):
    """The word that names the product comes before colour, size and praise."""
    assert made_up_classifier.predict([product])[0].evidence[0].text == expected


def test_contributions_through_the_vector():
    """A word's contribution through the vector is divided among its occurrences in that field."""
    product = Product(name="pan", description="red pan pan")
    vector = {"name": {"pan": 1.0}, "description": {"red": 2.0, "pan": 4.0}}
    fragments = evidence(product, vector, w_red=1.0)
    assert [(fragment.field, fragment.start, fragment.weight) for fragment in fragments] == [
        ("description", 0, 0.375),
        ("description", 4, 0.25),
        ("description", 8, 0.25),
        ("name", 0, 0.125),
    ]
