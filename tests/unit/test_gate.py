"""The gate's own measures: differences with intervals, categories that fall, and behaviour."""

from dataclasses import replace

import numpy as np
import pytest

from aisle_training import parameters
from aisle_training.release import gate
from aisle_training.release.measure import Answers, compare, recalls

GATE = parameters.load().gate


def made(true, found, chance=0.9):
    """Make answers: right ones with a chance, wrong ones with what is left."""
    right = [a == b for a, b in zip(true, found, strict=True)]
    chances = np.where(right, chance, 1 - chance)
    return Answers(
        true=tuple(true),
        found=tuple(found),
        chances=chances,
        confidences=np.full(len(true), chance),
        labels=np.zeros(len(true), np.int64),
        highest=np.full(len(true), chance, np.float32),
        folded=(),
        folded_confidences=np.zeros(0),
    )


def wrong(count, of=400):
    """Make answers of which so many are wrong, spread over four categories."""
    true = [f"c{at % 4}" for at in range(of)]
    return made(true, ["other" if at < count else own for at, own in enumerate(true)])


def failed(mine, theirs, settings=GATE):
    """Return the names of the checks that fail."""
    checks, _ = gate._against(mine, theirs, "champion", settings)
    return [check.name for check in checks if not check.passed]


def test_differences_are_those_of_the_figures():
    """Accuracy, macro-F1 and log loss are as defined; worse is negative, log loss too."""
    mine, theirs = made("aabb", "aaba"), made("aabb", "aabb")
    found = compare(mine, theirs, resamples=50)
    assert found["accuracy"].difference == pytest.approx(-0.25)
    assert found["macro_f1"].challenger == pytest.approx((0.8 + 2 / 3) / 2)
    loss = -(3 * np.log(0.9) + np.log(0.1)) / 4
    assert found["log_loss"].challenger == pytest.approx(loss)
    assert found["log_loss"].difference == pytest.approx(-np.log(0.9) - loss)


def test_interval_is_paired():
    """Where two models are wrong on the same products, the interval has no width."""
    found = compare(wrong(100), wrong(100), resamples=200)
    assert all((one.low, one.high) == (0, 0) for one in found.values())


def test_interval_holds_the_difference():
    """The interval of 20 more errors in 400 is about 0.05 within a few hundredths."""
    found = compare(wrong(60), wrong(40), resamples=500)["accuracy"]
    assert found.low < -0.05 < found.high < 0
    assert found.high - found.low < 0.08


def test_no_worse_passes():
    """A model that answers the same passes every comparison."""
    assert failed(wrong(40), wrong(40)) == []


@pytest.mark.parametrize(("more", "passes"), [(1, True), (6, False), (20, False)])
def test_falls_beyond_the_tolerance_are_refused(more, passes):
    """One error more in 400 is within the tolerance, six that are sure are not."""
    found = failed(wrong(40 + more), wrong(40))
    assert ("accuracy" not in found) == passes


def test_fall_that_may_be_chance_passes_up_to_the_limit():
    """Beyond the tolerance but with zero in the interval is no proof; beyond the limit it is."""
    true = ["a", "b"] * 200
    theirs = made(true, ["x"] * 10 + true[10:])
    swapped = made(true, true[:10] + ["x"] * 13 + true[23:])
    assert "accuracy" not in failed(swapped, theirs)
    assert "accuracy" in failed(swapped, theirs, replace(GATE, accuracy_limit=0.006))


@pytest.mark.parametrize(
    ("products", "fell", "passes"), [(20, 5, False), (20, 4, True), (10, 9, True)]
)
def test_no_category_may_fall_far(products, fell, passes):
    """A category with enough products that loses more than the limit is refused, by name."""
    true = ["small"] * products + ["big"] * 2000
    mine = made(true, ["big"] * fell + true[fell:])
    checks, facts = gate._against(mine, made(true, true), "champion", GATE)
    (check,) = [check for check in checks if check.name == "each category"]
    assert check.passed == passes
    assert ("small" in check.detail) == (not passes)
    assert facts["classes"][0]["products"] in {products, 2000}


def test_recall_counts_each_category():
    """Each category's share of found products is its own."""
    assert recalls(made("aab", "abb")) == {"a": (2, 0.5), "b": (1, 1.0)}


class Stub:
    """A contender that gives fixed answers to the gate's question about feedback."""

    def __init__(self, found):
        self.found = found

    def answers(self, rows):
        """Answer as it was told to."""
        return self.found


@pytest.mark.parametrize(
    ("mine", "theirs", "better"),
    [
        (made("aa", "aa"), made("aa", "ab"), True),
        (made("aa", "ab"), made("aa", "aa"), False),
        (made("aa", "ab", 0.6), made("aa", "ab", 0.9), True),
        (made("aa", "ab", 0.9), made("aa", "ab", 0.9), False),
        (made("aa", "aa", 0.8), made("aa", "aa", 0.9), True),
    ],
    ids=["more right", "fewer right", "less sure where wrong", "the same", "both perfect"],
)
def test_better_on_what_was_held_out(mine, theirs, better):
    """More right answers are better, or as many with a lower loss; all right is enough."""
    check, _ = gate._better_on_feedback(Stub(mine), Stub(theirs), [None] * 2)
    assert check.passed == better


def test_nothing_held_out_is_no_refusal():
    """Without new feedback on the test's side, there is nothing to ask."""
    check, _ = gate._better_on_feedback(None, None, [])
    assert check.passed is None
