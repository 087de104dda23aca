"""The classifier of a trained bundle: probabilities, predictions, and the bundles it refuses."""

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
# Products with no text, no known word, or little information.
POOR = [Product(), Product(name="щж"), Product(price=7.0), Product(manufacturer="Mott")]
UNCERTAIN = [Product(name=name) for name in ("lamp", "light mug", "pan", "set", "LED", "mix")]
EVERYTHING = [*PRODUCTS, *POOR, *UNCERTAIN]


def with_thresholds(original, *thresholds):
    """Return a classifier of a bundle with other thresholds."""
    manifest = replace(original.manifest, answer_thresholds=thresholds)
    return Classifier(Bundle(manifest, original.files))


def names(path):
    """Return the names on a path."""
    return [node.name for node in path]


@pytest.fixture(scope="module")
def predictions(made_up_classifier):
    """Give predictions for all kinds of products."""
    return made_up_classifier.predict(EVERYTHING, explain=False)


def test_probabilities(made_up_classifier):
    """Every product has a probability of every class; they add up to 1."""
    probabilities = made_up_classifier.predict_proba(EVERYTHING)
    assert probabilities.shape == (len(EVERYTHING), len(made_up_classifier.taxonomy.classes))
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_batch_equals_one_by_one(made_up_classifier):
    """A product's probabilities do not depend on the batch, nor on its place in it."""
    # More products than one chunk.
    batch = made_up_classifier.predict_proba(EVERYTHING * 2)
    single = [made_up_classifier.predict_proba([product])[0] for product in EVERYTHING]
    # To the bit: trees would turn the smallest difference into a visible one.
    assert np.array_equal(batch, single * 2)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 17])
def test_every_product_gets_its_prediction(made_up_classifier, predictions, size):
    """There is one prediction per product, in the order of the products."""
    first = made_up_classifier.predict(EVERYTHING[:size], explain=False)
    assert [prediction.category.path for prediction in first] == [
        prediction.category.path for prediction in predictions[:size]
    ]


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (Product(name="Gooseneck kettle"), ["Kitchen", "Small Appliances", "Kettles"]),
        (Product(name="HEAD TORCH"), ["Sport", "Running", "Head Torches"]),
        (Product(description="tulip bulbs, sand"), ["Garden", "Plants", "Bulbs"]),
        (Product(name="<b>Fountain</b>&nbsp;Pen"), ["Office", "Writing", "Pens"]),
    ],
)
def test_products_like_the_training_data(made_up_classifier, product, expected):
    """Products like those of the training data get the right category."""
    assert names(made_up_classifier.predict(product).category.path) == expected


def test_category_is_the_most_probable_class(made_up_classifier, predictions):
    """The category is the class with the highest probability."""
    best = made_up_classifier.predict_proba(EVERYTHING).argmax(axis=1)
    expected = [made_up_classifier.taxonomy.classes[label] for label in best]
    assert [prediction.category.path for prediction in predictions] == expected


def test_levels_lead_to_the_category(predictions):
    """The levels are the prefixes of the category's path, root first; the last is the category."""
    paths = [prediction.category.path for prediction in predictions]
    assert [[level.path for level in prediction.levels] for prediction in predictions] == [
        [path[: depth + 1] for depth in range(len(path))] for path in paths
    ]
    assert [prediction.levels[-1] for prediction in predictions] == [
        prediction.category for prediction in predictions
    ]


def test_confidences_descend_with_the_levels(predictions):
    """No level has a higher confidence than the level above it."""
    pairs = [pair for prediction in predictions for pair in pairwise(prediction.levels)]
    assert all(upper.confidence >= lower.confidence for upper, lower in pairs)


def test_confidence_of_a_level(made_up_classifier, predictions):
    """A level's confidence is the sum of the probabilities of the classes below it."""
    classes = made_up_classifier.taxonomy.classes
    probabilities = made_up_classifier.predict_proba(EVERYTHING)
    roots = [prediction.levels[0] for prediction in predictions]
    expected = [
        sum(row[label] for label, path in enumerate(classes) if path[:1] == root.path)
        for root, row in zip(roots, probabilities, strict=True)
    ]
    assert [root.confidence for root in roots] == pytest.approx(expected, abs=1e-5)


def test_alternatives_exclude_the_category(predictions):
    """The predicted category is not among its alternatives."""
    assert not any(
        prediction.category.path in [alternative.path for alternative in prediction.alternatives]
        for prediction in predictions
    )


def test_alternatives_are_the_runners_up(made_up_classifier, predictions):
    """The alternatives are the next most probable classes, in descending order."""
    ranked = np.sort(made_up_classifier.predict_proba(EVERYTHING), axis=1)[:, ::-1]
    confidences = [
        [alternative.confidence for alternative in prediction.alternatives]
        for prediction in predictions
    ]
    assert np.allclose(confidences, ranked[:, 1:6], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def inner(made_up_bundle, made_up_classifier):
    """Give a classifier whose first class is the parent of the next ones."""
    first, *rest = made_up_classifier.taxonomy.classes
    data = Taxonomy([first[:-1], *rest], []).to_json()
    return Classifier(bundle.describe(made_up_bundle, {CATEGORIES: json.dumps(data).encode()}))


def test_ancestors_are_no_alternatives(inner):
    """A class that is an ancestor of the category is no alternative to it."""
    prediction = inner.predict(Product(name="leaf rake"), top_k=40)
    assert names(prediction.category.path) == ["Garden", "Hand Tools", "Rakes"]
    assert ["Garden", "Hand Tools"] not in [
        names(alternative.path) for alternative in prediction.alternatives
    ]


def test_confidence_of_an_alternative_at_an_inner_node(inner):
    """The confidence of a class with classes below it includes their probabilities."""
    prediction = inner.predict(Product(name="lamp"), top_k=40)
    (probabilities,) = inner.predict_proba([Product(name="lamp")])
    parent = inner.taxonomy.classes[0]
    expected = sum(
        probability
        for path, probability in zip(inner.taxonomy.classes, probabilities, strict=True)
        if path[:2] == parent
    )
    assert [
        alternative.confidence
        for alternative in prediction.alternatives
        if alternative.path == parent
    ] == [pytest.approx(expected, abs=1e-6)]


@pytest.mark.parametrize(("top_k", "expected"), [(0, 0), (1, 1), (3, 3), (39, 39), (500, 39)])
def test_top_k(made_up_classifier, top_k, expected):
    """There are `top_k` distinct alternatives, at most 39 with 40 classes."""
    prediction = made_up_classifier.predict(Product(name="lamp"), top_k=top_k)
    assert len(prediction.alternatives) == expected
    assert len({alternative.path for alternative in prediction.alternatives}) == expected


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
def test_answer_is_the_deepest_confident_level(made_up_bundle, thresholds, expected):
    """The answer is the deepest level whose confidence reaches its threshold."""
    classifier = with_thresholds(made_up_bundle, *thresholds)
    prediction = classifier.predict(Product(name="electric kettle"))
    assert names(prediction.answer.path) == expected


@pytest.mark.parametrize("thresholds", [(2, 2, 2), ()])
def test_no_answer(made_up_bundle, thresholds):
    """Where no level reaches its threshold there is no answer, but still a category."""
    prediction = with_thresholds(made_up_bundle, *thresholds).predict("electric kettle")
    assert (prediction.answer, prediction.needs_review) == (None, True)
    assert prediction.category.category.name == "Kettles"


def test_a_confidence_equal_to_the_threshold_is_enough(made_up_bundle, made_up_classifier):
    """A level whose confidence equals its threshold is an answer."""
    lamp = Product(name="lamp")
    root = made_up_classifier.predict(lamp).levels[0]
    assert with_thresholds(made_up_bundle, root.confidence, 2, 2).predict(lamp).answer == root


def test_needs_review(predictions):
    """A product needs review if, and only if, its answer is not its category."""
    outcomes = {
        (prediction.needs_review, prediction.answer == prediction.category)
        for prediction in predictions
    }
    assert outcomes == {(True, False), (False, True)}


@pytest.mark.parametrize("product", POOR)
def test_products_with_little_information(made_up_classifier, product):
    """A product with little or no text gets a category that needs review."""
    prediction = made_up_classifier.predict(product, explain=False)
    assert (len(prediction.levels), prediction.needs_review) == (3, True)


@pytest.mark.parametrize("product", [Product(), Product(name="щж", description="!")])
def test_nothing_known_has_no_evidence(made_up_classifier, product):
    """A product without a known term has empty evidence."""
    assert made_up_classifier.predict(product).evidence == ()


def test_evidence_on_request(made_up_classifier):
    """`explain=False` omits the evidence and changes nothing else."""
    explained = made_up_classifier.predict(PRODUCTS)
    plain = made_up_classifier.predict(PRODUCTS, explain=False)
    assert all(prediction.evidence for prediction in explained)
    assert [replace(prediction, evidence=()) for prediction in explained] == plain


def test_version(made_up_bundle, predictions):
    """Every prediction has the model's version."""
    versions = {prediction.model_version for prediction in predictions}
    assert versions == {made_up_bundle.manifest.model_version}


def test_threads(made_up_bundle, made_up_classifier):
    """A new classifier gives the same predictions in several threads as in one."""
    expected = [made_up_classifier.predict(product) for product in PRODUCTS]
    shared = Classifier(made_up_bundle)
    with ThreadPoolExecutor(6) as pool:
        predictions = list(pool.map(shared.predict, PRODUCTS * 3))
    assert predictions == expected * 3


def truncated(original, name):
    """Return a bundle with only the first half of a file."""
    data = original.files[name]
    return bundle.describe(original, {name: data[: len(data) // 2]})


@pytest.mark.parametrize("name", [LINEAR, WORD_VECTORS, KNN, NAIVE_BAYES, RERANKER])
def test_truncated_file(made_up_bundle, name):
    """A truncated file raises an error that names it."""
    with pytest.raises(BundleError, match=rf"{re.escape(name)} cannot be (read|loaded)"):
        Classifier(truncated(made_up_bundle, name))


@pytest.mark.parametrize("model", [b"no model", b"\x08\x09"])
def test_malformed_reranker(made_up_bundle, model):
    """Bytes that are no ONNX model raise an error that names their file."""
    with pytest.raises(BundleError, match=r"reranker\.onnx cannot be loaded"):
        Classifier(bundle.describe(made_up_bundle, {RERANKER: model}))


def test_categories_of_another_model(made_up_bundle, made_up_classifier):
    """Categories of another model are refused; the message gives both numbers."""
    taxonomy = made_up_classifier.taxonomy
    fewer = json.dumps(Taxonomy(taxonomy.classes[1:], []).to_json()).encode()
    with pytest.raises(BundleError, match=r"\(slots\) is for 40 classes, categories\.json has 39"):
        Classifier(bundle.describe(made_up_bundle, {CATEGORIES: fewer}))


@pytest.mark.parametrize(
    ("array", "change", "message"),
    [
        ("indptr", lambda array: array[1:], r"\(indptr\) is for"),
        ("scale", lambda array: array[1:], r"\(scale\) is for"),
        ("indices", lambda array: array[1:], r"\(indices\) is for"),
        ("data", lambda array: array[1:], r"\(data\) is for"),
        (
            "vector_weights",
            lambda array: array[:, 1:],
            r"\(vector_weights\) is for .* dimensions",
        ),
        ("vector_weights", lambda array: array[1:], r"\(vector_weights\) is for .* SVMs"),
        ("slots", lambda array: array[1:], r"\(slots\) is for"),
        ("slot_weights", lambda array: array[1:], r"\(slot_weights\) is for"),
        ("slots", lambda array: array + 1, "its slots name number"),
        ("slots", lambda array: array - 1, "its slots name number"),
        ("indices", lambda array: array + 1, "its indices name number"),
        ("indptr", lambda array: array[[0, 2, 1, *range(3, len(array))]], "does not ascend"),
        ("slot_weights", lambda array: array[:, 1:], "slots .* and slot_weights"),
    ],
)
def test_linear_stage_of_another_model(made_up_bundle, array, change, message):
    """A linear stage whose arrays do not match each other or the other files is refused."""
    stage = made_up_bundle.linear_stage()
    changed = replace(stage, **{array: np.ascontiguousarray(change(getattr(stage, array)))})
    with pytest.raises(BundleError, match=message):
        Classifier(bundle.describe(made_up_bundle, {LINEAR: changed.to_bytes()}))


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
        (KNN, "nearest_neighbours", "kept", lambda array: array * 0, "out of range .* kept"),
        (KNN, "nearest_neighbours", "rows", lambda array: array + 10**6, "out of range .* rows"),
        (NAIVE_BAYES, "naive_bayes", "pairs", lambda array: array[::-1], "out of range .* pairs"),
        (NAIVE_BAYES, "naive_bayes", "lines", lambda array: array * 0 + 255, "not UTF-8"),
    ],
)
def test_second_stage_of_another_model(made_up_bundle, name, read, array, change, message):
    """A second stage for other classes or terms is refused."""
    part = getattr(made_up_bundle, read)()
    changed = replace(part, **{array: np.ascontiguousarray(change(getattr(part, array)))})
    with pytest.raises(BundleError, match=message):
        Classifier(bundle.describe(made_up_bundle, {name: changed.to_bytes()}))


@pytest.mark.parametrize("categories", [b"", b"[]", b'{"classes": [], "categories": []}'])
def test_malformed_categories(made_up_bundle, categories):
    """A malformed file of categories is refused."""
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
    """A vocabulary that is malformed or another model's raises an error that names its file."""
    with pytest.raises(BundleError, match=r"vocabulary\.tsv"):
        Classifier(bundle.describe(made_up_bundle, {VOCABULARY: vocabulary}))


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 20])
def test_largest(count):
    """The indices of the largest values come in descending order of value, ties in their order."""
    values = np.float32([0.2, 0.1, 0.2, 0.0, 0.3, 0.2, 0.1, 0.0])
    assert largest(values, count).tolist() == [4, 0, 2, 5, 1, 6, 3, 7][:count]
