"""Golden examples: replayed, a model decides as it did, or is refused."""

import json

import pytest

from aisle.errors import BundleError
from aisle.model import bundle
from aisle.model.bundle import GOLDEN
from aisle.model.golden import Golden, replay, to_lines
from aisle.product import Product


def examples(whole):
    """Return a bundle's examples as plain data."""
    return [json.loads(line) for line in whole.files[GOLDEN].splitlines()]


def with_third(whole, **changes):
    """Return a bundle whose third example says something else."""
    rows = examples(whole)
    rows[2] |= changes
    return bundle.describe(whole, {GOLDEN: "\n".join(map(json.dumps, rows)).encode()})


def test_replay(made_up_bundle, made_up_classifier):
    """A bundle decides as it did when it was exported; all its 40 examples are counted."""
    assert replay(made_up_bundle, made_up_classifier) == 40


def test_no_examples(made_up_bundle, made_up_classifier):
    """A bundle may come without examples."""
    assert replay(bundle.describe(made_up_bundle, {GOLDEN: b""}), made_up_classifier) == 0


@pytest.mark.parametrize("change", [{"category_id": "office-desk"}, {"confidence": 0.3}])
def test_another_decision(made_up_bundle, made_up_classifier, change):
    """A category or a confidence that is another now is reported with the product's name."""
    name = examples(made_up_bundle)[2]["product"]["name"]
    with pytest.raises(BundleError, match=f"decides differently .*'{name}'"):
        replay(with_third(made_up_bundle, **change), made_up_classifier)


@pytest.mark.parametrize("difference", [-0.0008, 0.0008])
def test_another_processor(made_up_bundle, made_up_classifier, difference):
    """A confidence that differs by less than a thousandth is the same decision."""
    confidence = examples(made_up_bundle)[2]["confidence"] + difference
    assert replay(with_third(made_up_bundle, confidence=confidence), made_up_classifier) == 40


@pytest.mark.parametrize("difference", [-0.0015, 0.0015])
def test_more_than_another_processor(made_up_bundle, made_up_classifier, difference):
    """A confidence that differs by more than a thousandth is not."""
    confidence = examples(made_up_bundle)[2]["confidence"] + difference
    with pytest.raises(BundleError, match="decides differently"):
        replay(with_third(made_up_bundle, confidence=confidence), made_up_classifier)


@pytest.mark.parametrize(
    "lines",
    [
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"product": {}, "category_id": "x"}',
        b'{"product": {"colour": "red"}, "category_id": "x", "confidence": 1}',
        b'{"product": null, "category_id": "x", "confidence": 1}',
    ],
)
def test_malformed_examples(made_up_bundle, made_up_classifier, lines):
    """Examples that cannot be read are refused by name."""
    with pytest.raises(BundleError, match=r"golden\.jsonl cannot be read"):
        replay(bundle.describe(made_up_bundle, {GOLDEN: lines}), made_up_classifier)


def test_lines(made_up_bundle, made_up_classifier):
    """What was written as lines is replayed."""
    product = Product("R&D \u2028 pan\n", None, "Ostra", 3.5)
    (found,) = made_up_classifier.predict([product])
    golden = Golden(product, found.category.category.id, found.category.confidence)
    written = bundle.describe(made_up_bundle, {GOLDEN: to_lines([golden, golden])})
    assert replay(written, made_up_classifier) == 2
