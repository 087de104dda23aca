"""A trained bundle answers: probabilities, the shape of a prediction, and what is refused."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model import bundle
from aisle.model.bundle import (
    CATEGORIES,
    KNN,
    LINEAR,
    NAIVE_BAYES,
    RERANKER,
    VOCABULARY,
    WORD_VECTORS,
    Bundle,
)
from aisle.model.classifier import Classifier, largest
from aisle.product import Product
from aisle.taxonomy import Taxonomy
from tests.made_up import products

PRODUCTS = [
    Product(row["name"], row["description"], row["manufacturer"], row["price"])
    for row in products(61, seed=7)
]
# Without text, without known words, with little to go by.
POOR = [Product(), Product(name="щж"), Product(price=7.0), Product(manufacturer="Mott")]
UNCERTAIN = [Product(name=name) for name in ("lamp", "light mug", "pan", "set", "LED", "mix")]
EVERYTHING = [*PRODUCTS, *POOR, *UNCERTAIN]


def with_thresholds(whole, *thresholds):
    """Return a classifier of a bundle with other thresholds."""
    return Classifier(Bundle(replace(whole.manifest, answer_thresholds=thresholds), whole.files))


def names(path):
    """Return the names on a path."""
    return [node.name for node in path]


@pytest.fixture(scope="module")
def predictions(made_up_classifier):
    """Give predictions for all kinds of products."""
    return made_up_classifier.predict(EVERYTHING, explain=False)


def test_probabilities(made_up_classifier):
    """Every product has a probability of every class; they add up to 1."""
    found = made_up_classifier.predict_proba(EVERYTHING)
    assert found.shape == (len(EVERYTHING), len(made_up_classifier.taxonomy.classes))
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_batch_equals_one_by_one(made_up_classifier):
    """A product's probabilities do not depend on the products sent with it."""
    batch = made_up_classifier.predict_proba(EVERYTHING)
    single = [made_up_classifier.predict_proba([product])[0] for product in EVERYTHING]
    # To the bit: trees would turn the smallest difference into a visible one.
    assert np.array_equal(batch, single)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 17])
def test_every_product_gets_its_prediction(made_up_classifier, predictions, size):
    """There are as many predictions as products, in their order, however many are sent."""
    found = made_up_classifier.predict(EVERYTHING[:size], explain=False)
    assert [one.category.path for one in found] == [one.category.path for one in predictions[:size]]


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (Product(name="Gooseneck kettle"), ["Kitchen", "Small Appliances", "Kettles"]),
        (Product(name="HEAD TORCH"), ["Sport", "Running", "Head Torches"]),
        (Product(description="tulip bulbs, sand"), ["Garden", "Plants", "Bulbs"]),
        (Product(name="<b>Fountain</b>&nbsp;Pen"), ["Office", "Writing", "Pens"]),
    ],
)
def test_what_it_was_taught(made_up_classifier, product, expected):
    """Products like those it was trained on are where they belong."""
    assert names(made_up_classifier.predict([product])[0].category.path) == expected


def test_category_is_the_likeliest_class(made_up_classifier, predictions):
    """The category is the class with the highest probability."""
    best = made_up_classifier.predict_proba(EVERYTHING).argmax(axis=1)
    expected = [made_up_classifier.taxonomy.classes[label] for label in best]
    assert [prediction.category.path for prediction in predictions] == expected


def test_levels_lead_to_the_category(predictions):
    """The levels are the prefixes of the category's path, root first, and end with it."""
    expected = [
        [one.category.path[: depth + 1] for depth in range(len(one.category.path))]
        for one in predictions
    ]
    assert [[level.path for level in one.levels] for one in predictions] == expected
    assert [one.levels[-1] for one in predictions] == [one.category for one in predictions]


def test_levels_get_less_sure(predictions):
    """No level is surer than the one above it."""
    pairs = [pair for one in predictions for pair in pairwise(one.levels)]
    assert all(upper.confidence >= lower.confidence for upper, lower in pairs)


def test_confidence_of_a_level(made_up_classifier, predictions):
    """A level is as sure as all classes below it together."""
    classes = made_up_classifier.taxonomy.classes
    probabilities = made_up_classifier.predict_proba(EVERYTHING)
    roots = [one.levels[0] for one in predictions]
    expected = [
        sum(row[label] for label, path in enumerate(classes) if path[:1] == root.path)
        for root, row in zip(roots, probabilities, strict=True)
    ]
    assert [root.confidence for root in roots] == pytest.approx(expected, abs=1e-5)


def test_alternatives_exclude_the_category(predictions):
    """What was predicted is not offered again."""
    assert not any(
        one.category.path in [other.path for other in one.alternatives] for one in predictions
    )


def test_alternatives_are_the_runners_up(made_up_classifier, predictions):
    """The alternatives are the next likeliest classes, likeliest first."""
    ranked = np.sort(made_up_classifier.predict_proba(EVERYTHING), axis=1)[:, ::-1]
    found = [[other.confidence for other in one.alternatives] for one in predictions]
    assert np.allclose(found, ranked[:, 1:6], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def inner(made_up_bundle, made_up_classifier):
    """Give a classifier whose first class is the shelf that the next ones stand on."""
    first, *others = made_up_classifier.taxonomy.classes
    data = Taxonomy([first[:-1], *others], []).to_json()
    return Classifier(bundle.describe(made_up_bundle, {CATEGORIES: json.dumps(data).encode()}))


def test_ancestors_are_no_alternatives(inner):
    """A class above the category is a level of the answer, not another answer."""
    (found,) = inner.predict([Product(name="leaf rake")], top_k=40)
    assert names(found.category.path) == ["Garden", "Hand Tools", "Rakes"]
    assert ["Garden", "Hand Tools"] not in [names(other.path) for other in found.alternatives]


def test_confidence_of_an_alternative_at_an_inner_node(inner):
    """A class that has others below it is as sure as all of them together."""
    (found,) = inner.predict([Product(name="lamp")], top_k=40)
    (probabilities,) = inner.predict_proba([Product(name="lamp")])
    shelf = inner.taxonomy.classes[0]
    expected = sum(
        probability
        for path, probability in zip(inner.taxonomy.classes, probabilities, strict=True)
        if path[:2] == shelf
    )
    assert [other.confidence for other in found.alternatives if other.path == shelf] == [
        pytest.approx(expected, abs=1e-6)
    ]


@pytest.mark.parametrize(("top_k", "expected"), [(0, 0), (1, 1), (3, 3), (39, 39), (500, 39)])
def test_top_k(made_up_classifier, top_k, expected):
    """There are as many alternatives as asked for, or as there are: 40 classes but one."""
    (found,) = made_up_classifier.predict([Product(name="lamp")], top_k=top_k)
    assert len({other.path for other in found.alternatives}) == expected


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ((0, 0, 0), ["Kitchen", "Small Appliances", "Kettles"]),
        ((0, 0, 2), ["Kitchen", "Small Appliances"]),
        ((0, 2, 2), ["Kitchen"]),
        ((2, 2, 0), ["Kitchen", "Small Appliances", "Kettles"]),
        ((0, 0), ["Kitchen", "Small Appliances"]),
    ],
)
def test_answer_is_the_deepest_sure_level(made_up_bundle, thresholds, expected):
    """The answer is the deepest level whose confidence reaches its threshold."""
    classifier = with_thresholds(made_up_bundle, *thresholds)
    (found,) = classifier.predict([Product(name="electric kettle")])
    assert names(found.answer.path) == expected


@pytest.mark.parametrize("thresholds", [(2, 2, 2), ()])
def test_no_answer(made_up_bundle, thresholds):
    """Where no level is sure enough there is no answer, but still a category."""
    classifier = with_thresholds(made_up_bundle, *thresholds)
    (found,) = classifier.predict([Product(name="electric kettle")])
    assert (found.answer, found.needs_review, found.category.category.name) == (
        None,
        True,
        "Kettles",
    )


def test_a_threshold_is_reached_not_passed(made_up_bundle, made_up_classifier):
    """A level that is exactly as sure as its threshold is shown."""
    lamp = Product(name="lamp")
    (level, *_) = made_up_classifier.predict([lamp])[0].levels
    (found,) = with_thresholds(made_up_bundle, level.confidence, 2, 2).predict([lamp])
    assert found.answer == level


def test_needs_review(predictions):
    """A product needs review if, and only if, its answer is not its category."""
    found = {(one.needs_review, one.answer == one.category) for one in predictions}
    assert found == {(True, False), (False, True)}


@pytest.mark.parametrize("product", POOR)
def test_products_with_little_to_go_by(made_up_classifier, product):
    """Whatever is missing, there is a category, and it is not shown as sure."""
    (found,) = made_up_classifier.predict([product], explain=False)
    assert (len(found.levels), found.needs_review) == (3, True)


@pytest.mark.parametrize("product", [Product(), Product(name="щж", description="!")])
def test_nothing_known_has_no_evidence(made_up_classifier, product):
    """A product without a known term is classified with evidence asked for: there is none."""
    assert made_up_classifier.predict([product])[0].evidence == ()


def test_evidence_on_request(made_up_classifier):
    """Evidence comes unless it is declined, and changes nothing else."""
    explained = made_up_classifier.predict(PRODUCTS)
    plain = made_up_classifier.predict(PRODUCTS, explain=False)
    assert all(one.evidence for one in explained)
    assert [replace(one, evidence=()) for one in explained] == plain


def test_version(made_up_bundle, predictions):
    """Every prediction says which model made it."""
    assert {one.model_version for one in predictions} == {made_up_bundle.manifest.model_version}


def test_threads(made_up_bundle, made_up_classifier):
    """One classifier answers several threads as it answers one, from its first product on."""
    expected = [made_up_classifier.predict([product]) for product in PRODUCTS]
    shared = Classifier(made_up_bundle)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda product: shared.predict([product]), PRODUCTS * 3))
    assert found == expected * 3


def truncated(whole, name):
    """Return a bundle with half of a file."""
    return bundle.describe(whole, {name: whole.files[name][: len(whole.files[name]) // 2]})


@pytest.mark.parametrize("name", [LINEAR, WORD_VECTORS, KNN, NAIVE_BAYES, RERANKER])
def test_truncated_file(made_up_bundle, name):
    """Half a file is refused by name."""
    with pytest.raises(BundleError, match=rf"{re.escape(name)} cannot be (read|loaded)"):
        Classifier(truncated(made_up_bundle, name))


@pytest.mark.parametrize("model", [b"no model", b"\x08\x09"])
def test_trees_that_are_no_model(made_up_bundle, model):
    """Bytes that are no ONNX model are refused by name."""
    with pytest.raises(BundleError, match=r"reranker\.onnx cannot be loaded"):
        Classifier(bundle.describe(made_up_bundle, {RERANKER: model}))


def test_categories_of_another_model(made_up_bundle, made_up_classifier):
    """Categories of another model are refused; the message has both numbers."""
    taxonomy = made_up_classifier.taxonomy
    fewer = json.dumps(Taxonomy(taxonomy.classes[1:], taxonomy.entries).to_json()).encode()
    with pytest.raises(
        BundleError, match=r"\(slots\) is made for 40 classes; its categories\.json has 39"
    ):
        Classifier(bundle.describe(made_up_bundle, {CATEGORIES: fewer}))


@pytest.mark.parametrize(
    ("array", "change", "message"),
    [
        ("indptr", lambda array: array[1:], r"\(indptr\) is made for"),
        ("scale", lambda array: array[1:], r"\(scale\) is made for"),
        ("indices", lambda array: array[1:], r"\(indices\) is made for"),
        ("data", lambda array: array[1:], r"\(data\) is made for"),
        (
            "vector_weights",
            lambda array: array[:, 1:],
            r"\(vector_weights\) is made for .* dimensions",
        ),
        ("vector_weights", lambda array: array[1:], r"\(vector_weights\) is made for .* SVMs"),
        ("slots", lambda array: array[1:], r"\(slots\) is made for"),
        ("slot_weights", lambda array: array[1:], r"\(slot_weights\) is made for"),
        ("slots", lambda array: array + 1, "its slots name number"),
        ("slots", lambda array: array - 1, "its slots name number"),
        ("indices", lambda array: array + 1, "its indices name number"),
    ],
)
def test_linear_stage_of_another_model(made_up_bundle, array, change, message):
    """A linear stage that does not match itself or the other files is refused."""
    stage = made_up_bundle.linear_stage()
    other = replace(stage, **{array: np.ascontiguousarray(change(getattr(stage, array)))})
    with pytest.raises(BundleError, match=message):
        Classifier(bundle.describe(made_up_bundle, {LINEAR: other.to_bytes()}))


@pytest.mark.parametrize(
    ("name", "read", "array", "change", "message"),
    [
        (
            KNN,
            "nearest_neighbours",
            "products",
            lambda array: array[1:],
            "neighbours is .* classes",
        ),
        (KNN, "nearest_neighbours", "starts", lambda array: array[1:], "neighbours is .* terms"),
        (NAIVE_BAYES, "naive_bayes", "absent", lambda array: array[:, 1:], "Bayes is .* classes"),
    ],
)
def test_second_stage_of_another_model(made_up_bundle, name, read, array, change, message):
    """A second stage for other classes or terms is refused."""
    part = getattr(made_up_bundle, read)()
    other = replace(part, **{array: np.ascontiguousarray(change(getattr(part, array)))})
    with pytest.raises(BundleError, match=message):
        Classifier(bundle.describe(made_up_bundle, {name: other.to_bytes()}))


@pytest.mark.parametrize("categories", [b"", b"[]", b'{"classes": [], "categories": []}'])
def test_malformed_categories(made_up_bundle, categories):
    """A file of categories that is none is refused."""
    with pytest.raises(BundleError, match="categories"):
        Classifier(bundle.describe(made_up_bundle, {CATEGORIES: categories}))


@pytest.mark.parametrize(
    "vocabulary",
    [
        b"w:pan\n",
        b"w:pan\tthree\n",
        b"w:pan\t3\t4\n",
        b"\xff\t3\n",
        b"z:unknown block\t3\n",
        b"\t3\n",
        b"w:one term of thousands\t3\n",
    ],
)
def test_malformed_vocabulary(made_up_bundle, vocabulary):
    """A vocabulary that is none, or not the model's, is refused by name."""
    with pytest.raises(BundleError, match=r"vocabulary\.tsv"):
        Classifier(bundle.describe(made_up_bundle, {VOCABULARY: vocabulary}))


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 20])
def test_thelargest(count):
    """As a stable sort of all would have it: the largest first, of equals the first."""
    values = np.float32([0.2, 0.1, 0.2, 0.0, 0.3, 0.2, 0.1, 0.0])
    expected = np.argsort(-values, kind="stable")[:count]
    assert largest(values, count).tolist() == expected.tolist()
