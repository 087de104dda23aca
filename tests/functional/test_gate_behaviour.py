"""The gate's questions about behaviour, asked of the packaged model."""

import numpy as np
import pytest

from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.product import Product, path_from_names
from aisle_training.data.prepare import Example
from aisle_training.release import behaviour
from aisle_training.release.measure import answers


@pytest.fixture(scope="module")
def packaged():
    """Give the packaged model."""
    return Classifier(bundle.read(bundle.PACKAGED))


def examples(*names):
    """Make examples from product names."""
    return [Example(Product(name), path_from_names(["Audio"]), name) for name in names]


def test_typing_otherwise_changes_nothing(packaged):
    """The packaged model keeps the category of plain products, however they are typed."""
    rows = examples("hdmi cable", "espresso coffee maker", "wireless optical mouse")
    assert behaviour.kept_shares(packaged, rows, answers(packaged, rows), 200) == {
        "capitals": 1,
        "punctuation": 1,
        "colour": 1,
        "size": 1,
    }


def test_model_that_reads_capitals_otherwise_is_found(packaged, monkeypatch):
    """The share of kept categories falls for a model that reads capitals as other words."""
    monkeypatch.setitem(behaviour.TYPED, "capitals", lambda text: "refrigerator")
    rows = examples("hdmi cable", "espresso coffee maker", "wireless optical mouse")
    assert behaviour.kept_shares(packaged, rows, answers(packaged, rows), 200)["capitals"] == 0


def test_unknown_category_has_the_least_chance(packaged):
    """A category that the model does not know is wrong, with a finite loss."""
    unknown = answers(packaged, examples("hdmi cable"))
    assert not unknown.right.any()
    assert unknown.losses[0] == pytest.approx(-np.log(1e-4))
