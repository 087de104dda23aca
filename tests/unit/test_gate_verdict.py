"""The gate's verdict: each rule, just within it and just beyond.

The contenders give fixed answers, so that each figure is chosen.
"""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model.bundle import GOLDEN
from aisle.product import Product, path_from_names
from aisle.registry.pointer import Pointer, write_pointer
from aisle.store import FolderStore, layout
from aisle_training import parameters
from aisle_training.data.prepare import Example
from aisle_training.release.export import PARITY_TOLERANCE
from aisle_training.release.gate import Check, GateInput, Judgement, judge
from aisle_training.release.measure import Answers

GATE = replace(parameters.load().gate, bootstrap=50)
PATH = path_from_names(["Audio"])
LEARNT = "better than always the commonest category"
FEEDBACK = "better on new feedback"


def examples(count):
    """Make that many test products."""
    return [Example(Product(f"radio {at}"), PATH, f"radio {at}") for at in range(count)]


def answer(true, predicted, chances=None):
    """Make the answers of a model; without chances, 0.9 for the right ones and 0.1 else."""
    right = [a == b for a, b in zip(true, predicted, strict=True)]
    count = len(right)
    return Answers(
        true=tuple(true),
        predicted=tuple(predicted),
        true_probabilities=np.where(right, 0.9, 0.1) if chances is None else np.array(chances),
        confidences=np.full(count, 0.9),
        labels=np.zeros(count, np.int64),
        highest=np.full(count, 0.9, np.float32),
        folded=(),
        folded_confidences=np.zeros(0),
    )


def wrong(count, of):
    """Make answers of which the first `count` are wrong, with ten categories taking turns."""
    true = [f"c{at % 10}" for at in range(of)]
    return answer(true, ["other" if at < count else own for at, own in enumerate(true)])


class Model:
    """A classifier of one category, but of another one for products of certain names."""

    def __init__(self, *moved):
        self.moved = moved

    def predict_proba(self, products):
        """Return the products, for `choose`."""
        return products

    def choose(self, products):
        """Return the number of each product's category."""
        return np.array([int(product.name in self.moved) for product in products])

    def predict(self, products, *, explain):
        """Take no time."""
        return []


class FixedContender:
    """A contender that gives fixed answers: on the frozen test, and on the feedback held out."""

    def __init__(self, on_test, on_feedback=None, *, version="new", moved=(), files=None):
        self.version = version
        self.classifier = Model(*moved)
        self.bundle = SimpleNamespace(
            files=files or {GOLDEN: b""},
            manifest=SimpleNamespace(dataset={"test_sha256": "one test"}),
        )
        self._on_test, self._on_feedback = on_test, on_feedback

    def answers(self, rows):
        """Answer as fixed; rows of feedback are a tuple."""
        return self._on_feedback if isinstance(rows, tuple) else self._on_test


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


@pytest.fixture
def alone(store):
    """Give the function that judges a contender where no model serves."""

    def run(challenger, count=0, settings=GATE, parity=0.0):
        return judge(store, challenger, GateInput(examples(count), parity=parity), settings)

    return run


@pytest.fixture
def against(store):
    """Give the function that judges a contender's answers against a champion's."""
    write_pointer(store, Pointer("old", "one test", ""), replacing=None)

    def run(mine, theirs, settings=GATE, feedback=(None, None)):
        challenger = FixedContender(mine, feedback[0])
        champion = FixedContender(theirs, feedback[1], version="old")
        heldout = tuple(examples(len(feedback[0].true))) if feedback[0] else ()
        evidence = GateInput(examples(len(mine.true)), heldout)
        return judge(store, challenger, evidence, settings, lambda _store, _version: champion)

    return run


def check(judgement, name):
    """Return the check of a name."""
    (chosen,) = [check for check in judgement.checks if check.name == name]
    return chosen


# By itself.


@pytest.mark.parametrize(
    ("true", "predicted", "passed", "told"),
    [
        ("aaab", "aaaa", False, "accuracy 0.7500 .* majority-class baseline's 0.7500"),
        ("aaab", "aabb", False, "accuracy 0.7500 .* majority-class baseline's 0.7500"),
        ("aaab", "aaab", True, "accuracy 1.0000, majority-class baseline 0.7500"),
        ("aabb", "aaab", True, "accuracy 0.7500, majority-class baseline 0.5000"),
        ("aaaa", "aaab", True, "accuracy 0.7500, majority-class baseline 1.0000"),
    ],
    ids=["constant", "as good as constant", "perfect", "better", "one category alone"],
)
def test_it_has_to_beat_the_commonest_category(alone, true, predicted, passed, told):
    """The share of the commonest category, not of a rarer one, has to be beaten."""
    judgement = alone(FixedContender(answer(true, predicted)), len(true))
    chosen = check(judgement, LEARNT)
    assert chosen.passed is passed
    assert re.search(told, chosen.detail)


@pytest.mark.parametrize(
    ("parity", "passed"), [(PARITY_TOLERANCE, True), (PARITY_TOLERANCE * 1.01, False)]
)
def test_probabilities_have_to_be_those_of_the_trained_model(alone, parity, passed):
    """A bundle may differ from the trained model by the tolerance, and no further."""
    judgement = alone(FixedContender(answer("ab", "ab")), 2, parity=parity)
    assert check(judgement, "equals the trained model").passed is passed


@pytest.mark.parametrize(("golden", "passed"), [(b"", True), (b"{", False)])
def test_golden_examples_have_to_replay(alone, golden, passed):
    """Golden examples that cannot be replayed are a refusal, whose reason is the error's."""
    judgement = alone(FixedContender(answer("ab", "ab"), files={GOLDEN: golden}), 2)
    assert check(judgement, "golden examples").passed is passed
    assert ("cannot be read" in check(judgement, "golden examples").detail) is not passed
    assert judgement.passed is passed


@pytest.mark.parametrize(
    ("name", "change", "moved", "passed"),
    [
        ("capitals", str.upper, 1, True),
        ("capitals", str.upper, 2, False),
        ("punctuation", lambda text: f"- {text.replace(' ', ', ')}!", 1, True),
        ("punctuation", lambda text: f"- {text.replace(' ', ', ')}!", 2, False),
        ("colour", "{} - Black".format, 10, True),
        ("colour", "{} - Black".format, 11, False),
        ("size", "{} (Large)".format, 10, True),
        ("size", "{} (Large)".format, 11, False),
    ],
)
def test_typing_and_variants_have_limits_of_their_own(alone, name, change, moved, passed):
    """Of 100 products, one may move when typed otherwise, and ten as another colour or size."""
    names = [change(example.product.name) for example in examples(100)[:moved]]
    judgement = alone(FixedContender(wrong(0, 100), moved=names), 100)
    assert check(judgement, f"other {name}").passed is passed
    assert f"{(100 - moved) / 100:.1%} of products" in check(judgement, f"other {name}").detail
    assert judgement.passed is passed


@pytest.mark.parametrize(("milliseconds", "passed"), [(0, True), (-1, False)])
def test_time_is_limited(alone, milliseconds, passed):
    """A model that takes as long as is allowed passes; no product takes no time at all."""
    settings = replace(GATE, milliseconds=milliseconds)
    judgement = alone(FixedContender(answer("", "")), 0, settings)
    assert check(judgement, "time").passed is passed


@pytest.mark.parametrize(("megabytes", "passed"), [(3, True), (2.9, False)])
def test_size_is_limited(alone, megabytes, passed):
    """The files of a bundle together may be as large as is allowed, in millions of bytes."""
    files = {GOLDEN: b"", "a": bytes(1_000_000), "b": bytes(2_000_000)}
    settings = replace(GATE, megabytes=megabytes)
    judgement = alone(FixedContender(answer("ab", "ab"), files=files), 2, settings)
    assert check(judgement, "size").passed is passed
    assert "3.0 MB" in check(judgement, "size").detail


def test_verdict_has_every_check_by_name(alone, against):
    """Reports are read by the names of the checks: all are there, passed or not."""
    itself = [
        LEARNT,
        "equals the trained model",
        "golden examples",
        *(f"other {name}" for name in ("capitals", "punctuation", "colour", "size")),
        "time",
        "size",
    ]
    first = alone(FixedContender(wrong(0, 20)), 20)
    assert [check.name for check in first.checks] == [*itself, "champion"]
    assert (first.champion, first.facts) == (None, {})
    second = against(wrong(0, 20), wrong(0, 20))
    comparison = ["accuracy", "macro_f1", "log_loss", "each category", FEEDBACK]
    assert [check.name for check in second.checks] == [*itself, *comparison]
    assert second.champion == "old"


def test_what_could_not_be_asked_is_no_refusal():
    """Failed checks alone are reasons; one that could not be asked refuses nothing."""
    unasked, good, bad = Check("a", None, "no"), Check("b", True, "yes"), Check("c", False, "bad")  # noqa: FBT003
    assert Judgement("v", None, None, (unasked, good)).passed
    judgement = Judgement("v", None, None, (unasked, good, bad))
    assert (judgement.passed, judgement.reasons) == (False, ["bad"])


# Against the champion.


@pytest.mark.parametrize(("more", "passed"), [(20, True), (21, False)])
@pytest.mark.parametrize("rule", ["tolerance", "limit"])
def test_fall_to_the_limit_passes(against, rule, more, passed):
    """A fall of exactly what is allowed passes, whatever the rounding; one product more fails."""
    other = {"tolerance": "limit", "limit": "tolerance"}[rule]
    settings = replace(GATE, **{f"accuracy_{rule}": 0.02, f"accuracy_{other}": 1.0})
    chosen = check(against(wrong(more, 1000), wrong(0, 1000), settings), "accuracy")
    assert chosen.passed is passed
    assert ("worse than champion old's 1.0000" in chosen.detail) is not passed


def test_interval_that_touches_zero_is_no_proof(against):
    """A fall beyond the tolerance passes where the interval reaches up to zero itself."""
    settings = replace(GATE, accuracy_limit=1.0)
    judgement = against(wrong(2, 100), wrong(0, 100), settings)
    assert judgement.facts["differences"]["accuracy"]["high"] == 0
    assert check(judgement, "accuracy").passed


def test_better_is_never_worse(against):
    """A challenger that is far better passes every comparison."""
    judgement = against(wrong(0, 1000), wrong(300, 1000))
    assert judgement.passed
    assert "accuracy 1.0000, champion old 0.7000 (improvement +0.3000" in (
        check(judgement, "accuracy").detail
    )


def fallen(*counts):
    """Make answers on categories of 20 products, of which so many each are wrong."""
    true = [f"c{at}" for at in range(len(counts)) for _ in range(20)]
    lost = [at < count for count in counts for at in range(20)]
    return answer(true, ["other" if gone else own for gone, own in zip(lost, true, strict=True)])


LENIENT = replace(
    GATE,
    accuracy_tolerance=1,
    accuracy_limit=1,
    macro_f1_tolerance=1,
    macro_f1_limit=1,
    log_loss_tolerance=9,
    log_loss_limit=9,
)


@pytest.mark.parametrize(("lost", "passed"), [(6, True), (7, False)])
def test_category_may_fall_to_the_limit(against, lost, passed):
    """From 90 % to 70 % is a fall of the 20 % allowed, whatever the rounding; to 65 % is not."""
    judgement = against(fallen(lost, 0), fallen(2, 0), LENIENT)
    chosen = check(judgement, "each category")
    assert chosen.passed is passed
    assert ("points in no category with at least 20 test products" in chosen.detail) is passed
    assert judgement.facts["classes"] == [
        {
            "id": "c0",
            "products": 20,
            "champion": 0.9,
            "challenger": 1 - lost / 20,
            "fell": not passed,
        }
    ]


@pytest.mark.parametrize(("least", "passed"), [(20, False), (21, True)])
def test_small_categories_are_not_judged(against, least, passed):
    """A category with as many test products as are asked for is judged, a smaller one is not."""
    judgement = against(fallen(10, 0), fallen(0, 0), replace(LENIENT, class_products=least))
    assert check(judgement, "each category").passed is passed


def test_category_that_rises_far_has_not_fallen(against):
    """A category that gains more than the limit is no fall."""
    judgement = against(fallen(0, 0), fallen(10, 0), LENIENT)
    assert check(judgement, "each category").passed
    assert judgement.facts["classes"][0]["fell"] is False


def test_five_fallen_categories_are_named(against):
    """The message names the first five fallen categories with their figures; the facts have all."""
    judgement = against(fallen(*[10] * 6, 1), fallen(*[0] * 7), LENIENT)
    detail = check(judgement, "each category").detail
    assert "percentage points in: c0 (100% to 50% of 20 products), c1 (" in detail
    assert ("c4" in detail, "c5" in detail, "c6" in detail) == (True, False, False)
    facts = judgement.facts["classes"]
    assert [row["id"] for row in facts] == [f"c{at}" for at in range(7)]
    assert [row["fell"] for row in facts] == [True] * 6 + [False]


def test_differences_are_facts(against):
    """The facts have each figure of both models, their difference and its interval."""
    differences = against(wrong(5, 100), wrong(0, 100)).facts["differences"]
    assert [*differences] == ["accuracy", "macro_f1", "log_loss"]
    accuracy = differences["accuracy"]
    assert [*accuracy] == ["challenger", "champion", "difference", "low", "high"]
    assert (accuracy["challenger"], accuracy["champion"]) == (0.95, 1)
    assert json.dumps(differences)


# On new feedback.

ONE_RIGHT = answer("aa", "ab", [0.9, 0.8])
BOTH_RIGHT = answer("aa", "aa", [0.3, 0.3])


@pytest.mark.parametrize(
    ("mine", "theirs", "passed"),
    [
        (ONE_RIGHT, BOTH_RIGHT, False),
        (BOTH_RIGHT, ONE_RIGHT, True),
        (answer("aa", "ab", [0.9, 0.2]), answer("aa", "ba", [0.1, 0.9]), True),
        (answer("aa", "ab", [0.9, 0.1]), answer("aa", "ba", [0.2, 0.9]), False),
        (answer("aa", "ab", [0.9, 0.1]), answer("aa", "ba", [0.1, 0.9]), False),
        (answer("aa", "bb", [0.1, 0.1]), answer("aa", "bb", [0.1, 0.1]), False),
        (BOTH_RIGHT, answer("aa", "aa", [0.9, 0.9]), True),
    ],
    ids=[
        "fewer right, lower loss",
        "more right, higher loss",
        "as many right, lower loss",
        "as many right, higher loss",
        "the same",
        "all wrong",
        "all right, higher loss",
    ],
)
def test_right_answers_go_before_the_loss(against, mine, theirs, passed):
    """The number of right answers decides; the loss where it is the same and some are wrong."""
    judgement = against(wrong(0, 20), wrong(0, 20), feedback=(mine, theirs))
    assert check(judgement, FEEDBACK).passed is passed
    assert judgement.passed is passed


def test_figures_on_feedback_are_facts(against):
    """The facts have the number of products held out, and both models' figures on them."""
    judgement = against(wrong(0, 20), wrong(0, 20), feedback=(BOTH_RIGHT, ONE_RIGHT))
    loss = -np.log(0.9 * 0.8) / 2
    assert judgement.facts["heldout"] == {
        "products": 2,
        "challenger": {"right": 2, "log_loss": pytest.approx(-np.log(0.3))},
        "champion": {"right": 1, "log_loss": pytest.approx(loss)},
    }
    assert "it gets 2 right (log loss 1.204), the champion 1 (log loss 0.164)" in (
        check(judgement, FEEDBACK).detail
    )


def test_without_feedback_the_facts_say_so(against):
    """Where nothing was held out, the facts have no product."""
    judgement = against(wrong(0, 20), wrong(0, 20))
    assert judgement.facts["heldout"] == {"products": 0}
    assert check(judgement, FEEDBACK).passed is None


# Which champion.


@pytest.mark.parametrize(
    ("version", "test", "champion"),
    [("old", "one test", "old"), ("new", "one test", None), ("old", "another test", None)],
)
def test_champion_is_another_model_of_the_same_test(store, version, test, champion):
    """The model that serves is the champion, if it is another one and has the same test."""
    write_pointer(store, Pointer(version, test, ""), replacing=None)
    judgement = judge(
        store,
        FixedContender(wrong(1, 20)),
        GateInput(examples(20)),
        GATE,
        lambda _store, asked: FixedContender(wrong(0, 20), version=asked),
    )
    assert judgement.champion == champion
    assert judgement.etag == store.get(layout.current_model()).etag


def test_champion_on_no_test_product_is_not_compared(store):
    """Without test products nothing is compared, though there is a champion."""
    write_pointer(store, Pointer("old", "one test", ""), replacing=None)
    judgement = judge(
        store,
        FixedContender(answer("", "")),
        GateInput([]),
        GATE,
        lambda _store, asked: FixedContender(answer("", ""), version=asked),
    )
    assert (judgement.champion, judgement.facts) == ("old", {})
    assert check(judgement, "champion").passed is None
    assert not judgement.passed


def test_unreadable_champion_and_malformed_pointer_keep_the_etag(store, capsys):
    """Without a readable champion, the judgement still holds for the pointer that was there."""

    def damaged(_store, _version):
        raise BundleError("It is damaged.")

    write_pointer(store, Pointer("old", "one test", ""), replacing=None)
    etags = [store.get(layout.current_model()).etag]
    contender, evidence = FixedContender(wrong(1, 20)), GateInput(examples(20))
    verdicts = [judge(store, contender, evidence, GATE, damaged)]
    store.put(layout.current_model(), b"{")
    etags.append(store.get(layout.current_model()).etag)
    verdicts.append(judge(store, contender, evidence, GATE, damaged))
    assert [verdict.etag for verdict in verdicts] == etags
    assert [verdict.champion for verdict in verdicts] == [None, None]
    assert "It is damaged." in capsys.readouterr().err
