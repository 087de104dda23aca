"""The second stage: which candidates, what is said of them, and how they share the probability."""

from dataclasses import replace

import lightgbm
import numpy as np
import onnxruntime
import pytest
from scipy.special import softmax

from aisle.model.hierarchy import structure
from aisle.model.rerank.calibration import Outside, log_odds
from aisle.model.rerank.candidates import Shortlist
from aisle.model.rerank.features import FEATURES
from aisle.model.rerank.knn import NearestNeighbours
from aisle.product import Product, path_from_names
from aisle.taxonomy import Taxonomy
from aisle_training import parameters
from aisle_training.fit.naive_bayes import fit_naive_bayes
from aisle_training.fit.rerank import Listwise, fit_outside, fit_trees, scores, to_text
from aisle_training.release.trees_graph import build
from tests.unit.test_knn import features

CLASSES = [
    path_from_names(names) for names in (["A"], ["A", "B"], ["A", "C"], ["D", "E"], ["D", "F"])
] + [path_from_names(["G", f"G{at}"]) for at in range(6)]
TAXONOMY = Taxonomy(CLASSES, [])
SIZE = len(CLASSES)
AS_IT_IS = Outside(1.0, 0.0)
AT = {name: at for at, name in enumerate(FEATURES)}


def no_naive_bayes(classes):
    """Return naive Bayes of no products."""
    return fit_naive_bayes([], np.empty(0, np.int64), classes, most_pairs=1)


@pytest.fixture(scope="module")
def shortlist():
    """Give a shortlist whose classes have one neighbour each, which has the class's own term.

    Class 1 alone is known to have had something: a pan, of Mott's, at 6.39.
    """
    products = np.arange(1, SIZE + 1)
    ones = np.ones(SIZE, np.int64)
    rows = np.arange(SIZE, dtype=np.int32)
    starts = np.arange(SIZE + 1)
    neighbours = NearestNeighbours(products, ones, starts, rows, np.full(SIZE, 255, np.uint8))
    known = Product("pan", None, "Mott", 6.389)
    naive_bayes = fit_naive_bayes([known], np.array([1]), SIZE, most_pairs=10)
    return Shortlist(TAXONOMY, neighbours, naive_bayes)


def described(shortlist, product, probabilities, terms):
    """Return the candidates of one product and what is said of them."""
    table = np.array([probabilities], np.float32)
    svms = len(structure(TAXONOMY).class_sets)
    margins = np.arange(svms, dtype=np.float32)[None]
    candidates = shortlist.candidates(table)
    found = shortlist.features(
        [product], features(terms), candidates, probabilities=table, margins=margins
    )
    return candidates[0].tolist(), found[0]


PROBABILITIES = [0.05, 0.3, 0.05, 0.1, 0.4, 0.02, 0.03, 0.01, 0.02, 0.02, 0.0]


def test_candidates_are_the_most_probable(shortlist):
    """The likeliest classes come first; of equals, the first by number."""
    found = shortlist.candidates(np.array([PROBABILITIES], np.float32))
    assert found.tolist() == [[4, 1, 3, 0, 2, 6, 5, 8]]


def test_candidates_of_a_batch():
    """Each product has its own candidates: those of a sort of all its many classes."""
    taxonomy = Taxonomy([path_from_names([f"G{at}"]) for at in range(300)], [])
    ones = np.ones(300, np.int64)
    index = NearestNeighbours(
        ones, ones, np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, "u1")
    )
    probabilities = np.random.default_rng(0).random((50, 300)).astype(np.float32)
    expected = np.argsort(-probabilities, axis=1)[:, :8]
    candidates = Shortlist(taxonomy, index, no_naive_bayes(300)).candidates(probabilities)
    np.testing.assert_array_equal(candidates, expected)


def test_each_product_of_a_batch_shares_out_its_own(shortlist):
    """What a product's candidates get does not depend on the others in the batch."""
    probabilities = np.random.default_rng(0).random((3, SIZE)).astype(np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    candidates = shortlist.candidates(probabilities)
    scores = np.float32([[1, 2, 3, 4, 5, 6, 7, 8], [-500] * 8, [500, 0, 0, 0, 0, 0, 499, 0]])
    shared = shortlist.share_out(probabilities, candidates, scores, Outside(2, 1))
    assert shared.sum(axis=1) == pytest.approx([1, 1, 1])
    for row in range(3):
        of_row = slice(row, row + 1)
        (alone,) = shortlist.share_out(
            probabilities[of_row], candidates[of_row], scores[of_row], Outside(2, 1)
        )
        np.testing.assert_array_equal(shared[row], alone)


def test_few_classes_are_all_candidates():
    """Of fewer classes than candidates, all are."""
    small = Taxonomy(CLASSES[:3], [])
    ones = np.ones(3, np.int64)
    index = NearestNeighbours(
        ones, ones, np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, "u1")
    )
    found = Shortlist(small, index, no_naive_bayes(3)).candidates(
        np.array([[0.2, 0.5, 0.3]], np.float32)
    )
    assert found.tolist() == [[1, 2, 0]]


def test_what_is_said_of_a_candidate(shortlist):
    """Probabilities, margins, sizes, neighbours, values and the product itself, on paper.

    All texts of class 1 are a pan, all prices 6.39: having them again says nothing. Half of what it
    has next is expected to be new, as "red" and Finch are.
    """
    candidates, found = described(
        shortlist, Product("red pan", None, "Finch", 6.389), PROBABILITIES, {1: 2.0}
    )
    one = dict(zip(FEATURES, found[candidates.index(1)].tolist(), strict=True))
    slots = structure(TAXONOMY).slots[1]
    expected = {
        "log_probability": np.log(0.3),
        "behind_best": np.log(0.3 / 0.4),
        "probability_level_1": 0.4,
        "probability_level_2": 0.3,
        "probability_level_3": 0.3,
        "margin_level_1": slots[0],
        "margin_level_2": slots[1],
        "margin_level_3": slots[1],
        "margin_own": slots[-1],
        "log_products": np.log(3),
        "share_of_parent": 2 / 6,
        "words": 2,
        "vote": 1,
        "nearest": 1,
        "nearest_of_all": 1,
        "text_likelihood": np.log(1 / 2),
        "manufacturer_likelihood": np.log(1 / 2),
        "price_likelihood": 0,
    }
    assert one == pytest.approx(expected, abs=1e-3)


def test_features_of_a_batch_in_a_deep_taxonomy():
    """Each product's candidates get its own features; short paths repeat their last level.

    Class 4 is the parent of class 5. Its own SVM is not that of its level, and its parent is the
    whole catalogue.
    """
    paths = [["A", "B", "C", "D"], ["A", "B", "C", "E"], ["A", "B", "F"], ["A", "G"], ["H"]]
    taxonomy = Taxonomy([path_from_names(names) for names in [*paths, ["H", "I"]]], [])
    ones = np.ones(6, np.int64)
    rows = np.arange(6, dtype=np.int32)
    neighbours = NearestNeighbours(
        np.arange(1, 7), ones, np.arange(7), rows, np.full(6, 255, np.uint8)
    )
    shortlist = Shortlist(taxonomy, neighbours, no_naive_bayes(6))
    probabilities = np.float32([[0.1, 0.2, 0.3, 0.04, 0.25, 0.11], [0, 0, 0.6, 0, 0, 0.4]])
    computed = shortlist.features(
        [Product("red pan", "fries"), Product("kettle")],
        features({0: 3.0, 1: 4.0}, {2: 1.0}),
        np.array([[2, 4, 1, 5, 0, 3], [2, 5, 0, 1, 3, 4]]),
        probabilities=probabilities,
        margins=np.stack([np.arange(10), np.arange(10, 0, -1)]).astype(np.float32),
    )
    assert computed.dtype == np.float32
    votes = np.array([0.6**8, 0.8**8]) / (0.6**8 + 0.8**8)
    columns = {
        "log_probability": (
            np.log([0.3, 0.25, 0.2, 0.11, 0.1, 0.04]),
            np.log([0.6, 0.4] + [1e-9] * 4),
        ),
        "behind_best": (
            np.log([1, 5 / 6, 2 / 3, 11 / 30, 1 / 3, 2 / 15]),
            np.log([1, 2 / 3] + [1e-9 / 0.6] * 4),
        ),
        "probability_level_1": (
            [0.64, 0.36, 0.64, 0.36, 0.64, 0.64],
            [0.6, 0.4, 0.6, 0.6, 0.6, 0.4],
        ),
        "probability_level_2": ([0.6, 0.36, 0.6, 0.11, 0.6, 0.04], [0.6, 0.4, 0.6, 0.6, 0, 0.4]),
        "probability_level_3": ([0.3, 0.36, 0.3, 0.11, 0.3, 0.04], [0.6, 0.4, 0, 0, 0, 0.4]),
        "margin_level_1": ([0, 7, 0, 7, 0, 0], [10, 3, 10, 10, 10, 3]),
        "margin_level_2": ([1, 7, 1, 9, 1, 6], [9, 1, 9, 9, 4, 3]),
        "margin_level_3": ([5, 7, 2, 9, 2, 6], [5, 1, 8, 8, 4, 3]),
        "margin_own": ([5, 8, 4, 9, 3, 6], [5, 1, 7, 6, 4, 2]),
        "log_products": (np.log([4, 6, 3, 7, 2, 5]), np.log([4, 7, 2, 3, 5, 6])),
        "share_of_parent": (
            [3 / 6, 5 / 21, 2 / 3, 6 / 11, 1 / 3, 4 / 10],
            [3 / 6, 6 / 11, 1 / 3, 2 / 3, 4 / 10, 5 / 21],
        ),
        "words": ([3] * 6, [1] * 6),
        "vote": ([0, 0, votes[1], 0, votes[0], 0], [1, 0, 0, 0, 0, 0]),
        "nearest": ([0, 0, 0.8, 0, 0.6, 0], [1, 0, 0, 0, 0, 0]),
        "nearest_of_all": ([0.8] * 6, [1] * 6),
    }
    for name, expected in columns.items():
        assert computed[:, :, AT[name]] == pytest.approx(np.array(expected), rel=1e-4, abs=1e-6), (
            name
        )


def test_a_node_above_all_classes_has_the_margin_0():
    """Such a node separates nothing and has no SVM."""
    taxonomy = Taxonomy([path_from_names(names) for names in (["R", "A"], ["R", "B"])], [])
    ones = np.ones(2, np.int64)
    index = NearestNeighbours(
        ones, ones, np.arange(3), np.arange(2, dtype=np.int32), np.full(2, 255, np.uint8)
    )
    computed = Shortlist(taxonomy, index, no_naive_bayes(2)).features(
        [Product("red pan")],
        features({0: 1.0}),
        np.array([[1, 0]]),
        probabilities=np.float32([[0.4, 0.6]]),
        margins=np.float32([[7, 8]]),
    )
    margins = [AT["margin_level_1"], AT["margin_level_2"], AT["margin_level_3"], AT["margin_own"]]
    assert computed[0][:, margins].tolist() == [[0, 8, 8, 8], [0, 7, 7, 7]]


def test_fields_that_are_missing_are_not_told(shortlist):
    """Which field a product's words are in says nothing of it."""
    _, name = described(shortlist, Product(name="red pan"), PROBABILITIES, {1: 1.0})
    _, description = described(shortlist, Product(description="red pan"), PROBABILITIES, {1: 1.0})
    assert np.array_equal(name, description)


def test_candidates_share_what_they_had(shortlist):
    """The candidates share their probability by softmax of their scores; the others keep theirs."""
    table = np.array([PROBABILITIES], np.float32)
    candidates = shortlist.candidates(table)
    with np.errstate(divide="ignore"):
        given = np.log(np.array([[0, 2, 0, 0, 0, 1, 1, 0]], np.float32))
    (found,) = shortlist.share_out(table, candidates, given, AS_IT_IS)
    assert found.sum() == pytest.approx(1)
    assert found[[7, 9, 10]] == pytest.approx([0.01, 0.02, 0])
    assert found[[1, 6, 5, 4]] == pytest.approx([0.485, 0.2425, 0.2425, 0], abs=1e-6)


@pytest.mark.parametrize("score", [0, 1e4, -1e4])
def test_of_equal_score_all_share_alike(shortlist, score):
    """Where all score the same, they share alike, however large it is."""
    table = np.array([PROBABILITIES], np.float32)
    candidates = shortlist.candidates(table)
    (found,) = shortlist.share_out(table, candidates, np.full((1, 8), score, "f4"), AS_IT_IS)
    assert found[candidates[0]] == pytest.approx(np.full(8, 0.97 / 8), abs=1e-6)


def test_what_is_outside_is_calibrated(shortlist):
    """The others get what their odds are calibrated to; between them nothing changes."""
    table = np.array([PROBABILITIES], np.float32)
    candidates = shortlist.candidates(table)
    given = np.full((1, 8), 0.5, np.float32)
    # The odds of 0.03, squared, times e.
    odds = (0.03 / 0.97) ** 2 * np.e
    (found,) = shortlist.share_out(table, candidates, given, Outside(2, 1))
    outside = odds / (1 + odds)
    assert found[[7, 9, 10]] == pytest.approx([outside / 3, outside * 2 / 3, 0], rel=1e-4)
    assert found[candidates[0]] == pytest.approx(np.full(8, (1 - outside) / 8), rel=1e-4)


def test_where_nothing_is_outside_nothing_is_put_there():
    """With few classes, all are candidates, and share everything."""
    small = Taxonomy(CLASSES[:3], [])
    ones = np.ones(3, np.int64)
    index = NearestNeighbours(
        ones, ones, np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, "u1")
    )
    table = np.array([[0.2, 0.5, 0.3]], np.float32)
    few = Shortlist(small, index, no_naive_bayes(3))
    (found,) = few.share_out(table, few.candidates(table), np.ones((1, 3), "f4"), Outside(2, 1))
    assert found == pytest.approx([1 / 3] * 3)


def test_the_calibration_of_what_is_outside_is_learnt():
    """From rests that are outside half as often as they say, the odds learnt are about right."""
    random = np.random.default_rng(0)
    rest = random.uniform(0.01, 0.9, 20_000).astype(np.float32)
    outside = random.uniform(size=len(rest)) < rest / 2
    found = fit_outside(rest, outside).calibrate(rest)
    near = np.abs(rest - 0.4) < 0.05
    assert found[near].mean() == pytest.approx(0.2, abs=0.03)


def test_a_learnt_calibration_has_four_decimals():
    """Slope and shift are rounded, so that their last bits do not make another model."""
    rest = np.linspace(0.05, 0.9, 50).astype(np.float32)
    learnt = fit_outside(rest, np.arange(50) % 3 == 0)
    for number in (learnt.slope, learnt.shift):
        assert round(number, 4) == number != round(number, 3)


def test_log_odds_stay_finite():
    """Probabilities count as at least one and at most all but one in a million."""
    probabilities = np.float32([0, 1e-7, 0.25, 1])
    most = np.log(1e6)
    assert log_odds(probabilities) == pytest.approx([-most, -most, -np.log(3), most], abs=0.02)


@pytest.mark.parametrize(("slope", "expected"), [(20, [0, 1]), (-20, [1, 0])])
def test_a_steep_calibration_does_not_overflow(slope, expected):
    """Beyond what float32 can raise e to, the probability is almost 0 or 1."""
    rest = np.float32([1e-6, 1])
    assert Outside(slope, 0).calibrate(rest) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("outside", [True, False])
def test_a_calibration_needs_both_cases(outside):
    """Where all or none are outside, probabilities stay as they are."""
    assert fit_outside(np.full(3, 0.2, np.float32), np.full(3, outside)) == AS_IT_IS


@pytest.fixture(scope="module")
def trees():
    """Give trees that learnt from made-up candidates, and what they learnt from."""
    random = np.random.default_rng(0)
    table = random.normal(size=(600, 8, len(FEATURES))).astype(np.float32).round(1)
    right = np.zeros((600, 8), np.bool_)
    right[np.arange(600), table[:, :, AT["vote"]].argmax(axis=1)] = True
    right[:100] = False
    return fit_trees(table, right, np.ones(600), parameters.load().rerank), table, right


def test_trees_are_fitted_with_the_settings(trees):
    """LightGBM ignores parameters that it does not know: the model has to state each of them."""
    _, table, right = trees
    settings = replace(
        parameters.load().rerank, trees=3, leaves=5, learning_rate=0.375, least_in_leaf=44, l2=2.5
    )
    booster = fit_trees(table, right, np.ones(600), settings, seed=6)
    text = booster.model_to_string()
    assert booster.num_trees() == 3
    assert booster.feature_name() == list(FEATURES)
    expected = {
        "[num_leaves: 5]",
        "[learning_rate: 0.375]",
        "[min_data_in_leaf: 44]",
        "[lambda_l2: 2.5]",
        "[feature_fraction: 0.7]",
        "[seed: 6]",
        "[deterministic: 1]",
        "[force_row_wise: 1]",
    }
    assert expected <= set(text.splitlines())


def test_trees_believe_what_counts_more(trees):
    """Where products contradict each other, the trees follow those that weigh more."""
    _, table, right = trees
    tables, rights = np.concatenate([table, table]), np.concatenate([right, right[:, ::-1]])
    for mine in (0.1, 10.0):
        weights = np.repeat([mine, 1.0], len(table))
        booster = fit_trees(tables, rights, weights, parameters.load().rerank)
        chosen = scores(booster, table[100:]).argmax(axis=1)
        agrees = np.mean(chosen == right[100:].argmax(axis=1))
        assert (agrees > 0.8) == (mine > 1)


def test_objective_is_the_log_loss_of_softmax():
    """The gradient is the slope of the weighted loss; the Hessian twice its own diagonal."""
    random = np.random.default_rng(0)
    logits, weights = random.normal(size=(5, 3)), random.uniform(0.1, 2, 5)
    wanted = np.eye(3)[random.integers(3, size=5)]

    def loss(of):
        return float((weights * -np.log((softmax(of, axis=1) * wanted).sum(axis=1))).sum())

    gradient, hessian = Listwise(wanted, weights)(logits.ravel(), None)
    steps = np.eye(logits.size).reshape(-1, *logits.shape) * 1e-5
    slopes = [(loss(logits + step) - loss(logits - step)) / 2e-5 for step in steps]
    assert gradient == pytest.approx(slopes, abs=1e-7)
    shares = softmax(logits, axis=1)
    assert hessian == pytest.approx((2 * shares * (1 - shares) * weights[:, None]).ravel())


def test_trees_learn_what_tells_candidates_apart(trees):
    """The candidate with the best score is mostly the right one."""
    booster, table, right = trees
    found = scores(booster, table[100:]).argmax(axis=1)
    assert np.mean(found == right[100:].argmax(axis=1)) > 0.95


def test_trees_are_the_same_in_onnx(trees):
    """ONNX gives every candidate the score that LightGBM gives it, at thresholds too."""
    booster, table, _ = trees
    text = to_text(booster)
    lines = [line[10:] for line in text.splitlines() if line.startswith("threshold=")]
    # The thresholds lie between values that occur: right beside them is where rounding shows.
    near = np.array(" ".join(lines).split(), np.float32)
    # What is next to zero is zero to LightGBM; no feature is.
    near = near[np.abs(near) > 1e-30]
    up, down = (np.nextafter(near, np.float32(end)) for end in (np.inf, -np.inf))
    rows = np.repeat(np.concatenate([near, up, down])[:, None], len(FEATURES), axis=1)
    rows = np.concatenate([rows, table.reshape(-1, len(FEATURES))])
    session = onnxruntime.InferenceSession(build(text))
    (found,) = session.run(["scores"], {"features": rows})
    assert found == pytest.approx(lightgbm.Booster(model_str=text).predict(rows), abs=1e-5)


def test_the_same_trees_are_the_same_bytes(trees):
    """A bundle's version comes from its bytes: the same trees make the same graph."""
    text = to_text(trees[0])
    assert build(text) == build(text)


def test_rounded_thresholds_decide_the_same(trees):
    """Rounding the thresholds down to float32 changes no score."""
    booster, table, _ = trees
    rows = table.reshape(-1, len(FEATURES))
    rounded = lightgbm.Booster(model_str=to_text(booster))
    assert np.array_equal(rounded.predict(rows), booster.predict(rows, raw_score=True))


def test_thresholds_between_neighbouring_floats_are_rounded_down():
    """The nearest float32 to such a threshold can be the upper value, which then goes left."""
    low = np.nextafter(np.float32(1), np.float32(2))
    high = np.nextafter(low, np.float32(2))
    right = np.tile(np.arange(8) == 0, (600, 1))
    table = np.where(right, high, low)[:, :, None] * np.ones(len(FEATURES), np.float32)
    booster = fit_trees(table, right, np.ones(600), parameters.load().rerank)
    best, other = lightgbm.Booster(model_str=to_text(booster)).predict(table[0, :2])
    assert best > other
    assert [best, other] == booster.predict(table[0, :2], raw_score=True).tolist()
