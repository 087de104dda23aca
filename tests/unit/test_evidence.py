"""Evidence: the words that spoke for a category, found again in the text as typed."""

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
    """Return the evidence of a model that knows these terms (`w_pan` for `w:pan`).

    `vector` is what each word of a field adds through the product's vector.
    """
    known = {
        term.replace("_", ":", 1).replace("_", " "): at for at, term in enumerate(contributions)
    }
    counter = TermCounter(SPEC, lambda terms: [known.get(term, -1) for term in terms])
    _, terms, _ = counter.count([product])
    given = np.array(list(contributions.values()), np.float32)
    return find_evidence(product, counter, terms, given[terms], vector or {})


def shares(found):
    """Return texts and weights."""
    return [(one.text, one.weight) for one in found]


def test_a_word_has_its_share():
    """A word's weight is its share of all that spoke for the category."""
    found = evidence(Product(description="Red PAN, lid"), w_red=1.0, w_pan=3.0)
    assert shares(found) == [("PAN", 0.75), ("Red", 0.25)]


def test_words_that_spoke_against():
    """What spoke against the category is no evidence, and takes nothing from the others."""
    found = evidence(Product(description="red pan"), w_red=-5.0, w_pan=3.0)
    assert shares(found) == [("pan", 1.0)]


@pytest.mark.parametrize("contribution", [-1.0, 0.0])
def test_nothing_spoke_for_it(contribution):
    """Where nothing spoke for the category there is no evidence."""
    assert evidence(Product(name="pan"), w_pan=contribution) == ()


def test_pairs_speak_for_both_words():
    """What a pair adds is shared by its words."""
    found = evidence(Product(description="red pan"), w_red_pan=1.0, w_pan=1.0)
    assert shares(found) == [("pan", 0.75), ("red", 0.25)]


def test_ngrams_speak_for_their_word():
    """What a word's letters add is the word's."""
    found = evidence(Product(description="red pan"), c_pan=1.0, w_red=3.0)
    assert shares(found) == [("red", 0.75), ("pan", 0.25)]


def test_a_repeated_word_shares():
    """A term's part is divided among all places that it was made from, in any field."""
    found = evidence(Product(name="pan", description="a pan lid"), w_pan=1.0, w_lid=1.0)
    places = [(one.field, one.start, one.weight) for one in found]
    assert places == [("description", 6, 0.5), ("name", 0, 0.25), ("description", 2, 0.25)]


def test_terms_of_the_name():
    """A term of the name's block speaks for the name only."""
    found = evidence(Product(name="pan", description="pan"), n_pan=1.0)
    assert [(one.field, one.weight) for one in found] == [("name", 1.0)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("Ostra", [("Ostra", 1.0)]), ("Brindle &amp; Co", [("Brindle", 0.75), ("Co", 0.25)])],
)
def test_manufacturer(typed, expected):
    """The manufacturer's name and words speak for the words of the manufacturer."""
    terms = {"m_ostra": 1.0, "m_brindle_co": 1.0, "m_brindle": 1.0}
    found = evidence(Product(manufacturer=typed), **terms)
    assert (shares(found), {one.field for one in found}) == (expected, {"manufacturer"})


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
    """Offsets count code points of the field as typed, whatever stands before the word."""
    (found,) = evidence(Product(description=typed), w_pan=1.0)
    assert (found.start, found.end, found.text) == (start, end, typed[start:end])


@pytest.mark.parametrize(
    "product", [Product(), Product(name="lid"), Product(name="!", price=3.0), Product(price=3.0)]
)
def test_no_known_words(product):
    """A product whose words are unknown has no evidence."""
    assert evidence(product, w_pan=1.0, p_2=1.0) == ()


def test_only_the_heaviest():
    """At most twelve fragments are given."""
    words = [f"word{at}" for at in range(20)]
    contributions = {f"w_{word}": 20.0 - at for at, word in enumerate(words)}
    found = evidence(Product(description=" ".join(words)), **contributions)
    assert [one.text for one in found] == words[:12]


def test_trifles_are_left_out():
    """A fragment with less than a hundredth is not worth showing."""
    found = evidence(Product(description="red pan lid"), w_red=0.9, w_pan=98.0, w_lid=1.1)
    assert [one.text for one in found] == ["pan", "lid"]


@pytest.fixture(scope="module")
def explained(made_up_classifier):
    """Give made-up products, each with its evidence."""
    predictions = made_up_classifier.predict(PRODUCTS)
    return [(product, one.evidence) for product, one in zip(PRODUCTS, predictions, strict=True)]


def test_fragments_are_what_was_typed(explained):
    """A fragment is the text of its field from its start to its end."""
    found = [(getattr(product, one.field), one) for product, all_ in explained for one in all_]
    assert [one.text for _, one in found] == [typed[one.start : one.end] for typed, one in found]


def test_weights_are_shares(explained):
    """Weights are above 0, and together at most 1 but for rounding."""
    weights = [[one.weight for one in found] for _, found in explained]
    assert all(0 < weight <= 1 for each in weights for weight in each)
    assert max(map(sum, weights)) <= 1.001


def test_weights_descend(explained):
    """The heaviest fragment comes first."""
    weights = [[one.weight for one in found] for _, found in explained]
    assert weights == [sorted(each, reverse=True) for each in weights]


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (Product(name="Tarn large black kettle"), "kettle"),
        (Product(name="silver A123", description="Toaster, silver; ideal as a gift"), "Toaster"),
        (Product(description="&bull; <b>Tulip bulbs</b>, 4, navy", price=20), "bulbs"),
    ],
)
def test_the_decisive_word_comes_first(made_up_classifier, product, expected):
    """What a person would point at comes before colour, size and praise."""
    assert made_up_classifier.predict([product])[0].evidence[0].text == expected


def test_vector_speaks_through_its_words():
    """What a word adds through the vector counts where it stands, shared by all its places."""
    product = Product(name="pan", description="red pan pan")
    vector = {"name": {"pan": 2.0}, "description": {"red": 1.0, "pan": 4.0}}
    found = evidence(product, vector, w_red=1.0)
    assert sorted((one.field, one.text, one.weight) for one in found) == [
        ("description", "pan", 0.25),
        ("description", "pan", 0.25),
        ("description", "red", 0.25),
        ("name", "pan", 0.25),
    ]
