"""The gate: differences with intervals, categories that fall, and feedback that was held out."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from aisle.model.bundle import GOLDEN
from aisle.product import Product, path_from_names
from aisle.store import layout
from aisle.store.interface import StoredObject
from aisle_training import parameters
from aisle_training.data.prepare import Example
from aisle_training.release.gate import GateInput, judge
from aisle_training.release.measure import Answers, compare, recalls

GATE = parameters.load().gate


def made(true, predicted, chance=0.9):
    """Make answers: `chance` for the right category where right, the remainder where wrong."""
    right = [a == b for a, b in zip(true, predicted, strict=True)]
    chances = np.where(right, chance, 1 - chance)
    return Answers(
        true=tuple(true),
        predicted=tuple(predicted),
        true_probabilities=chances,
        confidences=np.full(len(true), chance),
        labels=np.zeros(len(true), np.int64),
        highest=np.full(len(true), chance, np.float32),
        folded=(),
        folded_confidences=np.zeros(0),
    )


def wrong(count, of=400):
    """Make answers of which the first `count` are wrong, spread over four categories."""
    true = [f"c{at % 4}" for at in range(of)]
    return made(true, ["other" if at < count else own for at, own in enumerate(true)])


class FixedClassifier:
    """Answer every product with the only class; see `Classifier`."""

    def predict(self, products, *, explain):
        """Predict nothing: the gate only measures the time."""
        return []

    def predict_proba(self, products):
        """Return certainty."""
        return np.ones((len(products), 1), np.float32)

    def choose(self, probabilities):
        """Choose the only class."""
        return np.zeros(len(probabilities), np.int64)


class FixedContender:
    """Give prepared answers to the frozen test and to the held-out feedback; see `Contender`."""

    classifier = FixedClassifier()

    def __init__(self, version, test, heldout):
        self.version = version
        self.prepared = {"test": test, "heldout": heldout}
        manifest = SimpleNamespace(dataset={"test_sha256": "the test"})
        self.bundle = SimpleNamespace(manifest=manifest, files={GOLDEN: b""})

    def answers(self, rows):
        """Return the prepared answers."""
        return self.prepared[rows[0].group]


def examples(answers, group):
    """Make as many examples as there are answers."""
    return [Example(Product("x"), path_from_names(["A"]), group)] * len(answers.true)


class PointerStore:
    """A store that holds only a pointer, to the champion; see `Store`."""

    url = "memory"

    def get(self, key):
        """Return the pointer."""
        facts = {"version": "champion", "test_sha256": "the test", "published_at": "today"}
        return StoredObject({layout.current_model(): json.dumps(facts).encode()}[key], "etag")


NOTHING = made("", "")


def judged(mine, theirs, settings=GATE, *, heldout=(NOTHING, NOTHING)):
    """Judge a challenger's answers beside a champion's."""
    challenger = FixedContender("challenger", mine, heldout[0])
    champions = {"champion": FixedContender("champion", theirs, heldout[1])}
    evidence = GateInput(examples(mine, "test"), examples(heldout[0], "heldout"))
    fetch = lambda _, version: champions[version]  # noqa: E731  # shorter than a function
    return judge(PointerStore(), challenger, evidence, settings, fetch=fetch)


def failed(mine, theirs, settings=GATE):
    """Name the checks that fail."""
    checks = judged(mine, theirs, settings).checks
    return [check.name for check in checks if check.passed is False]


def check_of(judgement, name):
    """Return the check with this name."""
    (check,) = [check for check in judgement.checks if check.name == name]
    return check


def test_differences_are_those_of_the_figures():
    """Accuracy, macro-F1 and log loss follow their definitions; a negative difference is worse."""
    mine, theirs = made("aaaab", "aaabb"), made("aaaab", "aaaab", chance=0.7)
    differences = compare(mine, theirs, resamples=50)
    assert differences["accuracy"].difference == pytest.approx(-0.2)
    # F1 is 6/7 for the common category and 2/3 for the rare one, and both count alike.
    assert differences["macro_f1"].challenger == pytest.approx((6 / 7 + 2 / 3) / 2)
    loss = -(4 * np.log(0.9) + np.log(0.1)) / 5
    assert differences["log_loss"].challenger == pytest.approx(loss)
    assert differences["log_loss"].champion == pytest.approx(-np.log(0.7))
    assert differences["log_loss"].difference == pytest.approx(-np.log(0.7) - loss)


def test_interval_is_paired():
    """When two models are wrong on the same products, the interval has no width."""
    differences = compare(wrong(100), wrong(100), resamples=200)
    assert {(difference.low, difference.high) for difference in differences.values()} == {(0, 0)}


def test_interval_holds_the_difference():
    """The 95 % interval of 20 more errors in 400 is as wide as paired sampling makes it."""
    accuracy = compare(wrong(60), wrong(40), resamples=2000)["accuracy"]
    assert accuracy.low < -0.05 < accuracy.high < 0
    # 3.92 standard errors of 0.05 in 400; unpaired, the interval would be twice as wide.
    assert accuracy.high - accuracy.low == pytest.approx(0.0427, abs=0.006)


def test_no_worse_passes():
    """A model with the same answers passes every comparison."""
    assert failed(wrong(40), wrong(40)) == []
    assert judged(wrong(40), wrong(40)).passed


@pytest.mark.parametrize(("more", "passes"), [(1, True), (2, True), (6, False), (20, False)])
def test_falls_beyond_the_tolerance_are_refused(more, passes):
    """Two more errors in 400 are the tolerance; six, all beside the champion's, are too many."""
    assert ("accuracy" not in failed(wrong(40 + more), wrong(40))) == passes


def test_fall_that_may_be_chance_passes_up_to_the_limit():
    """Between tolerance and limit, a fall passes if its interval includes zero."""
    true = ["a", "b"] * 200
    theirs = made(true, ["x"] * 10 + true[10:])
    mine = made(true, true[:10] + ["x"] * 13 + true[23:])
    assert "accuracy" not in failed(mine, theirs)
    assert "accuracy" in failed(mine, theirs, replace(GATE, accuracy_limit=0.006))


@pytest.mark.parametrize(
    ("products", "fell", "passes"), [(20, 5, False), (20, 4, True), (10, 9, True)]
)
def test_no_category_may_fall_far(products, fell, passes):
    """A category with enough products whose recall falls beyond the limit is refused by name."""
    true = ["small"] * products + ["big"] * 2000
    mine = made(true, ["big"] * fell + true[fell:])
    judgement = judged(mine, made(true, true))
    check = check_of(judgement, "each category")
    assert check.passed == passes
    assert ("small" in check.detail) == (not passes)
    (row,) = judgement.facts["classes"]
    assert (row["id"], row["products"], row["champion"]) == ("small", products, 1)
    assert row["challenger"] == pytest.approx(1 - fell / products)


def test_recall_counts_each_category():
    """A category's recall is the share of its own products that are found."""
    assert recalls(made("aab", "abb")) == {"a": (2, 0.5), "b": (1, 1.0)}


@pytest.mark.parametrize(
    ("mine", "theirs", "better"),
    [
        (made("aaa", "aab", 0.99), made("aaa", "abb", 0.6), True),
        (made("aaa", "abb", 0.6), made("aaa", "aab", 0.99), False),
        (made("aab", "aba", 0.6), made("aab", "aba", 0.9), True),
        (made("aab", "aba", 0.9), made("aab", "aba", 0.6), False),
        (made("aab", "aba", 0.9), made("aab", "aba", 0.9), False),
        (made("aab", "aab", 0.8), made("aab", "aab", 0.9), True),
    ],
    ids=[
        "more right, higher loss",
        "fewer right, lower loss",
        "as many right, lower loss",
        "as many right, higher loss",
        "the same",
        "both perfect",
    ],
)
def test_better_on_held_out_feedback(mine, theirs, better):
    """More right answers win, then the lower log loss; all right is always enough."""
    judgement = judged(wrong(40), wrong(40), heldout=(mine, theirs))
    assert check_of(judgement, "better on new feedback").passed == better


def test_nothing_held_out_is_no_refusal():
    """Without held-out feedback, the question is not asked."""
    assert check_of(judged(wrong(40), wrong(40)), "better on new feedback").passed is None
