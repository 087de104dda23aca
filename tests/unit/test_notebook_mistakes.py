"""Where labels and predictions part, and which mistakes were shown."""

from types import SimpleNamespace

import pytest

from aisle.product import Category, Product, Scored
from aisle_benchmark.notebook.mistakes import Answered, Confusion, answer, confusions
from aisle_training.data.prepare import Example


def path(*names):
    """Give a path whose ids are its names."""
    return tuple(Category(name.lower(), name) for name in names)


def answered(label, said, shown=None):
    """Give an answer: what was predicted, and how far it was shown."""
    prediction = SimpleNamespace(
        category=Scored(path(*said), 0.9),
        answer=None if shown is None else Scored(path(*said)[:shown], 0.99),
    )
    return Answered(Example(Product("x"), path(*label), "0"), prediction)


@pytest.mark.parametrize(
    ("label", "said", "parting"),
    [
        (("A", "B"), ("A", "B"), None),
        (("A", "B"), ("A",), None),
        (("A",), ("A", "B"), None),
        (("A", "B"), ("A", "C"), 1),
        (("A", "B"), ("D", "B"), 0),
    ],
)
def test_parting(label, said, parting):
    """Paths part where they name different categories, not where one goes on."""
    assert answered(label, said).parting == parting


@pytest.mark.parametrize(("shown", "wrong"), [(None, False), (1, False), (2, True)])
def test_wrong_only_where_it_shows(shown, wrong):
    """An answer that stops where label and prediction still agree is right."""
    assert answered(("A", "B"), ("A", "C"), shown).shown_wrong is wrong


def test_confusions():
    """A pair counts both ways, apart from the same names elsewhere, the commonest first."""
    found = confusions(
        [
            answered(("A", "B"), ("A", "C"), 2),
            answered(("A", "C"), ("A", "B"), 1),
            answered(("D", "B"), ("D", "C")),
            answered(("A", "B"), ("A", "B"), 2),
        ]
    )
    assert found == [Confusion("A", ("B", "C"), 2, 1), Confusion("D", ("B", "C"), 1, 0)]


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
