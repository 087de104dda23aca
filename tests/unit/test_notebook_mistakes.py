"""Where labels and predictions diverge, and which mistakes were shown."""

from types import SimpleNamespace

import pytest

from aisle.product import Category, Product, Scored
from aisle_benchmark.notebook.mistakes import Answered, Confusion, answer, confusions
from aisle_training.data.prepare import Example


def path(*names):
    """Make a path whose ids are its names in lower case."""
    return tuple(Category(name.lower(), name) for name in names)


def answered(label, predicted, shown=None):
    """Make a labelled product with its prediction, of which `shown` levels are the answer."""
    prediction = SimpleNamespace(
        category=Scored(path(*predicted), 0.9),
        answer=None if shown is None else Scored(path(*predicted)[:shown], 0.99),
    )
    return Answered(Example(Product("x"), path(*label), "0"), prediction)


@pytest.mark.parametrize(
    ("label", "predicted", "parting"),
    [
        (("A", "B"), ("A", "B"), None),
        (("A", "B"), ("A",), None),
        (("A",), ("A", "B"), None),
        (("A", "B"), ("A", "C"), 1),
        (("A", "B"), ("D", "B"), 0),
    ],
)
def test_parting(label, predicted, parting):
    """Paths diverge where they name different categories, not where one is longer."""
    assert answered(label, predicted).parting == parting


@pytest.mark.parametrize(("shown", "wrong"), [(None, False), (1, False), (2, True)])
def test_wrong_only_where_it_shows(shown, wrong):
    """An answer that ends where label and prediction still agree is right."""
    assert answered(("A", "B"), ("A", "C"), shown).shown_wrong is wrong


def test_confusions():
    """A pair counts in both directions, under its parent only; the most common comes first."""
    counted = confusions(
        [
            answered(("A", "B"), ("A", "C"), 2),
            answered(("A", "C"), ("A", "B"), 1),
            answered(("D", "B"), ("D", "C")),
            answered(("A", "B"), ("A", "B"), 2),
        ]
    )
    assert counted == [Confusion("A", ("B", "C"), 2, 1), Confusion("D", ("B", "C"), 1, 0)]


class EchoClassifier:
    """Predict the category that a product's name spells; see `Classifier`."""

    def predict(self, products, *, explain):
        """Predict each product, in order."""
        return [
            SimpleNamespace(category=Scored(path(product.name.title()), 0.9))
            for product in products
        ]


def test_answers_stay_in_order():
    """Each example gets its own prediction."""
    examples = [Example(Product(name), path("A"), name) for name in ("pan", "wok", "pen")]
    answers = answer(EchoClassifier(), examples)
    assert [answered.example for answered in answers] == examples
    names = [answered.prediction.category.category.name for answered in answers]
    assert names == ["Pan", "Wok", "Pen"]
