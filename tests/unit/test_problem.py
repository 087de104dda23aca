"""The learning problem: which class each product is trained as, and which copies join it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.errors import DataError
from aisle.product import Product, path_from_names
from aisle_training import parameters
from aisle_training.data.prepare import Example
from aisle_training.fit.problem import make_problem

TEXTS = st.text("abc ", min_size=1)
PRODUCTS = st.builds(
    Product,
    name=TEXTS | st.none(),
    description=TEXTS | st.none(),
    manufacturer=TEXTS | st.none(),
    price=st.floats(0, 1e6) | st.none(),
).filter(lambda product: product.name or product.description)


def example(path, product=None, ids=None):
    """Make an example of a text such as "Sport/Socks"."""
    return Example(product or Product("sock"), path_from_names(path.split("/"), ids), "")


def examples(**counts):
    """Make as many examples of each category as said; two underscores are a step down."""
    return [
        example(path.replace("__", "/"), Product(f"{path} {at}"))
        for path, count in counts.items()
        for at in range(count)
    ]


def problem(rows, *, min_products=1, field_dropout=0.0, others=()):
    """Make a problem, folding and dropping nothing unless asked."""
    chosen = replace(parameters.load().fit, field_dropout=field_dropout, copy_weight=0.25)
    return make_problem(rows, chosen, min_products=min_products, others=others)


def lacks(copy, product):
    """Say whether a copy is a product without some of its fields."""
    fields = [(getattr(copy, name), getattr(product, name)) for name in Product.__slots__]
    return copy != product and all(mine in {None, theirs} for mine, theirs in fields)


def names(paths):
    """Write paths as texts."""
    return ["/".join(node.name for node in path) for path in paths]


@pytest.mark.parametrize(
    ("least", "classes", "labels"),
    [
        (1, ["A", "A/B", "A/C", "D/E"], [0, 1, 2, 2, 3, 3, 3]),
        (2, ["A", "A/C", "D/E"], [0, 0, 1, 1, 2, 2, 2]),
        (3, ["A", "D/E"], [0, 0, 0, 0, 1, 1, 1]),
        (9, ["A", "D"], [0, 0, 0, 0, 1, 1, 1]),
    ],
)
def test_classes_are_what_is_left_after_folding(least, classes, labels):
    """Rare categories join an ancestor's class; each product is labelled with its class."""
    found = problem(examples(A=1, A__B=1, A__C=2, D__E=3), min_products=least)
    assert names(found.taxonomy.classes) == classes
    assert found.labels.tolist() == labels


def test_folded_category_is_known_by_its_class():
    """A category that was folded has its class's number, one that was never seen has -1."""
    found = problem(examples(A__B=1, A__C=2, D__E=3), min_products=2)
    assert found.label(path_from_names(["A", "B"])) == 0
    assert found.label(path_from_names(["D", "E"])) == 2
    assert found.label(path_from_names(["D", "F"])) == -1


def test_category_under_two_parents_is_one_class():
    """A category id seen under two parents is one class, on its commoner path."""
    rows = [
        example("A/X", ids=["a", "x"]),
        example("B/X", ids=["b", "x"]),
        example("B/X", ids=["b", "x"]),
        example("B/Y", ids=["b", "y"]),
    ]
    found = problem(rows)
    assert names(found.taxonomy.classes) == ["B/X", "B/Y"]
    assert found.labels.tolist() == [0, 0, 0, 1]


def test_other_products_are_listed_but_not_learnt_from():
    """Categories of other products can be searched and are counted, and are no class."""
    found = problem(examples(A=1, B=2), others=examples(B=3, C=4))
    listed = [
        (entry.path[-1].name, entry.products, entry.label) for entry in found.taxonomy.entries
    ]
    assert listed == [("A", 1, 0), ("B", 5, 1), ("C", 4, None)]
    assert len(found.products) == found.distinct == 3


def test_ancestors_are_listed_too():
    """Every node above a category is listed once, with the class that it is, if it is one."""
    found = problem(examples(A=1, A__B=2, C__D__E=3))
    listed = [
        ("/".join(node.name for node in entry.path), entry.products, entry.label)
        for entry in found.taxonomy.entries
    ]
    assert listed == [
        ("A", 1, 0),
        ("A/B", 2, 1),
        ("C", 0, None),
        ("C/D", 0, None),
        ("C/D/E", 3, 2),
    ]


@pytest.mark.parametrize(
    ("rows", "least"),
    [([], 1), (examples(A=5), 1), (examples(A__B=2, A__C=2), 3)],
    ids=["no product", "one category", "one class after folding"],
)
def test_fewer_than_two_classes_is_a_data_error(rows, least):
    """Where nothing is left to decide, DataError says how many products there were."""
    with pytest.raises(DataError, match=f"of {len(rows)} products"):
        problem(rows, min_products=least)


@given(st.lists(PRODUCTS, min_size=2, max_size=20), st.floats(0, 1))
@settings(deadline=None)
def test_copies_lack_fields_and_keep_a_text(products, share):
    """Every copy lacks a field of a product with the same label, changes none, and has a text."""
    rows = [example("ABC"[at % 3], product) for at, product in enumerate(products)]
    found = problem(rows, field_dropout=share)
    originals = list(zip(found.products, found.labels, strict=True))[: found.distinct]
    copies = list(zip(found.products, found.labels, strict=True))[found.distinct :]
    assert all(copy.name or copy.description for copy, _ in copies)
    assert all(
        any(own == label and lacks(copy, product) for product, own in originals)
        for copy, label in copies
    )


@given(st.lists(PRODUCTS, min_size=2, max_size=20, unique=True))
@settings(deadline=None)
def test_copies_do_not_depend_on_other_products(products):
    """A product's copy is the same whatever products are around it."""
    rows = [example("AB"[at % 2], product) for at, product in enumerate(products)]
    whole = problem(rows, field_dropout=0.5)
    part = problem(rows[:2], field_dropout=0.5)
    assert set(part.products[2:]) <= set(whole.products[whole.distinct :])
    assert problem(rows, field_dropout=0.5).products == whole.products


def test_a_copy_counts_less_than_its_product():
    """Products count 1 each, copies with the same text what they are said to."""
    rows = [example("AB"[at % 2], Product(f"sock {at}", None, "Ostra", 2.0)) for at in range(20)]
    found = problem(rows, field_dropout=1)
    assert found.distinct == 20
    assert len(found.products) > 20
    assert found.weights.tolist() == [1.0] * 20 + [0.25] * (len(found.products) - 20)


def test_a_copy_with_another_text_counts_as_much():
    """Without its name or its description, a product is another text to learn from."""
    rows = [example("AB"[at % 2], Product(f"sock {at}", "warm", "Ostra", 2.0)) for at in range(20)]
    found = problem(rows, field_dropout=1)
    assert len(found.products) > 30
    assert set(found.weights.tolist()) == {1.0}


@pytest.mark.parametrize(("share", "least", "most"), [(0, 0, 0), (0.5, 380, 520), (1, 850, 1000)])
def test_share_of_products_with_a_copy(share, least, most):
    """About the share asked for has a copy, but for those that lose nothing by their hash."""
    rows = [example("AB"[at % 2], Product(f"sock {at}", "warm", None, 2.0)) for at in range(1000)]
    found = problem(rows, field_dropout=share)
    assert least <= len(found.products) - found.distinct <= most
    assert len(np.unique(found.labels)) == 2
