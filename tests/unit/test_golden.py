"""Golden examples: on replay a model decides as when it was exported, or is refused."""

import json

import pytest

from aisle.errors import BundleError
from aisle.model import bundle
from aisle.model.bundle import GOLDEN
from aisle.model.golden import Golden, replay, to_lines
from aisle.product import Product


def examples(original):
    """Return a bundle's examples as plain data."""
    return [json.loads(line) for line in original.files[GOLDEN].splitlines()]


def with_third(original, **changes):
    """Return a bundle with changes to its third example."""
    rows = examples(original)
    rows[2] |= changes
    return bundle.describe(original, {GOLDEN: "\n".join(map(json.dumps, rows)).encode()})


def test_replay(made_up_bundle, made_up_classifier):
    """An unchanged bundle decides as when it was exported; the result counts its 40 examples."""
    assert replay(made_up_bundle, made_up_classifier) == 40


def test_no_examples(made_up_bundle, made_up_classifier):
    """A bundle may have no examples."""
    assert replay(bundle.describe(made_up_bundle, {GOLDEN: b""}), made_up_classifier) == 0


@pytest.mark.parametrize("change", [{"category_id": "office-desk"}, {"confidence": 0.3}])
def test_another_decision(made_up_bundle, made_up_classifier, change):
    """Another category or confidence than at export is an error that names the product."""
    name = examples(made_up_bundle)[2]["product"]["name"]
    with pytest.raises(BundleError, match=f"decides differently .*'{name}'"):
        replay(with_third(made_up_bundle, **change), made_up_classifier)


@pytest.mark.parametrize("difference", [-0.0008, 0.0008])
def test_another_processor(made_up_bundle, made_up_classifier, difference):
    """A confidence that differs by less than 0.001 is the same decision."""
    confidence = examples(made_up_bundle)[2]["confidence"] + difference
    assert replay(with_third(made_up_bundle, confidence=confidence), made_up_classifier) == 40


@pytest.mark.parametrize("difference", [-0.0015, 0.0015])
def test_more_than_another_processor(made_up_bundle, made_up_classifier, difference):
    """A confidence that differs by more than 0.001 is another decision."""
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
    """An error about malformed examples names their file."""
    with pytest.raises(BundleError, match=r"golden\.jsonl cannot be read"):
        replay(bundle.describe(made_up_bundle, {GOLDEN: lines}), made_up_classifier)


def test_lines(made_up_bundle, made_up_classifier):
    """Examples written as lines can be replayed, whatever characters a product contains."""
    product = Product("R&D \u2028 pan\n", None, "Ostra", 3.5)
    category = made_up_classifier.predict(product).category
    golden = Golden(product, category.category.id, category.confidence)
    written = bundle.describe(made_up_bundle, {GOLDEN: to_lines([golden, golden])})
    assert replay(written, made_up_classifier) == 2
