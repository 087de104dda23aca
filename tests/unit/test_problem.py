"""The learning problem: the class of each product, and the copies with fields dropped."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.errors import DataError
from aisle.product import FIELDS, Product, path_from_names
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
    """Make this many examples of each category, such as `A__B=2` for two of "A/B"."""
    return [
        example(path.replace("__", "/"), Product(f"{path} {number}"))
        for path, count in counts.items()
        for number in range(count)
    ]


def socks(count, **fields):
    """Make examples of two categories in turn, of products with these fields."""
    return [
        example("AB"[number % 2], Product(f"sock {number}", price=2.0, **fields))
        for number in range(count)
    ]


def problem_of(rows, *, min_products=1, field_dropout=0.0, others=()):
    """Make a learning problem, by default without folding and without copies."""
    fit = replace(parameters.load().fit, field_dropout=field_dropout, copy_weight=0.25)
    return make_problem(rows, fit, min_products=min_products, others=others)


def lacks(copy, product):
    """Return whether a copy is a product without some of its fields."""
    pairs = [(getattr(copy, field), getattr(product, field)) for field in FIELDS]
    return copy != product and all(copied in {None, original} for copied, original in pairs)


def names(paths):
    """Return paths as texts."""
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
def test_rare_categories_are_folded(least, classes, labels):
    """Rare categories join an ancestor's class; each product is labelled with its class."""
    problem = problem_of(examples(A=1, A__B=1, A__C=2, D__E=3), min_products=least)
    assert names(problem.taxonomy.classes) == classes
    assert problem.labels.tolist() == labels


def test_label_of_a_folded_category():
    """A folded category has its class's label, an unknown category -1."""
    problem = problem_of(examples(A__B=1, A__C=2, D__E=3), min_products=2)
    assert problem.label(path_from_names(["A", "B"])) == 0
    assert problem.label(path_from_names(["D", "E"])) == 2
    assert problem.label(path_from_names(["D", "F"])) == -1


def test_category_under_several_parents_is_one_class():
    """A category id that occurs under several parents is one class, on its most frequent path."""
    rows = [
        example("C/X", ids=["c", "x"]),
        example("B/X", ids=["b", "x"]),
        example("B/X", ids=["b", "x"]),
        example("A/X", ids=["a", "x"]),
        example("B/Y", ids=["b", "y"]),
    ]
    problem = problem_of(rows)
    assert names(problem.taxonomy.classes) == ["B/X", "B/Y"]
    assert problem.labels.tolist() == [0, 0, 0, 0, 1]


def entries(problem):
    """Return path, number of products and label of each entry of a problem's taxonomy."""
    listed = problem.taxonomy.entries
    paths = names(entry.path for entry in listed)
    return [(path, entry.products, entry.label) for path, entry in zip(paths, listed, strict=True)]


def test_other_products_are_counted_but_not_learnt_from():
    """Products that are not learnt from count in their categories, but make no class."""
    problem = problem_of(examples(A=1, B=2), others=examples(B=3, C=4))
    assert entries(problem) == [("A", 1, 0), ("B", 5, 1), ("C", 4, None)]
    assert len(problem.products) == problem.distinct == 3


def test_ancestors_are_listed_too():
    """Every node above a category is an entry, with its label if it is a class."""
    problem = problem_of(examples(A=1, A__B=2, C__D__E=3))
    assert entries(problem) == [
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
    """Fewer than two classes raise DataError, which gives the number of products."""
    with pytest.raises(DataError, match=f"of {len(rows)} products"):
        problem_of(rows, min_products=least)


@given(st.lists(PRODUCTS, min_size=2, max_size=20), st.floats(0, 1))
@settings(deadline=None)
def test_copies_lack_fields_and_keep_a_text(products, share):
    """Every copy lacks a field of a product with the same label, changes none, and has a text."""
    rows = [example("ABC"[number % 3], product) for number, product in enumerate(products)]
    problem = problem_of(rows, field_dropout=share)
    labelled = list(zip(problem.products, problem.labels, strict=True))
    originals, copies = labelled[: problem.distinct], labelled[problem.distinct :]
    assert all(copy.name or copy.description for copy, _ in copies)
    assert all(
        any(label == copy_label and lacks(copy, product) for product, label in originals)
        for copy, copy_label in copies
    )


@given(st.lists(PRODUCTS, min_size=2, max_size=20, unique=True))
@settings(deadline=None)
def test_copies_do_not_depend_on_other_products(products):
    """A product's copy does not depend on the other products."""
    rows = [example("AB"[number % 2], product) for number, product in enumerate(products)]
    all_rows = problem_of(rows, field_dropout=0.5)
    two_rows = problem_of(rows[:2], field_dropout=0.5)
    assert set(two_rows.products[2:]) <= set(all_rows.products[all_rows.distinct :])
    assert problem_of(rows, field_dropout=0.5).products == all_rows.products


def test_a_copy_with_the_same_text_weighs_less():
    """A copy without manufacturer or price has the sample weight `copy_weight`, a product 1."""
    problem = problem_of(socks(20, manufacturer="Ostra"), field_dropout=1)
    assert problem.distinct == 20
    assert len(problem.products) > 20
    assert problem.weights.tolist() == [1.0] * 20 + [0.25] * (len(problem.products) - 20)


def test_a_copy_with_another_text_weighs_as_much():
    """A copy without name or without description has the sample weight 1; both kinds occur."""
    problem = problem_of(socks(20, description="warm", manufacturer="Ostra"), field_dropout=1)
    copies = problem.products[problem.distinct :]
    texts = {(copy.name is not None, copy.description is not None) for copy in copies}
    assert (len(copies), texts) == (20, {(True, False), (False, True)})
    assert problem.weights.tolist() == [1.0] * 40


@pytest.mark.parametrize(("share", "least", "most"), [(0, 0, 0), (0.2, 160, 240), (1, 1000, 1000)])
def test_share_of_products_with_a_copy(share, least, most):
    """Of products with two texts, the share `field_dropout` has a copy."""
    problem = problem_of(socks(1000, description="warm"), field_dropout=share)
    assert least <= len(problem.products) - problem.distinct <= most
    assert problem.labels.tolist()[:4] == [0, 1, 0, 1]
