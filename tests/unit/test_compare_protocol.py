"""The protocol of the comparison: groups, folds, labels and tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.catalogue.products import LabelledProduct
from aisle.errors import DataError
from aisle.product import Category, Product, path_from_names
from aisle_benchmark.protocol import (
    FOLDS,
    SMALL_SHOP,
    UNFOLDED,
    Table,
    fold_of,
    group_of,
    label_of,
    make_catalogue,
    make_table,
    retained_by,
    sample,
    too_little_retained,
)
from aisle_training.release.measure import OTHER


def row(name, description=None, path=("Kitchen", "Pans"), *, ids=True):
    """Label a product, with ids or with names only."""
    own = tuple(f"#{name}" for name in path) if ids else (None,) * len(path)
    full = path_from_names(path, own)
    return LabelledProduct(Product(name, description, "Tarn", 2.0), full, own)


@pytest.fixture(scope="module")
def catalogue():
    """Make a catalogue of 60 products with three variants each: two categories and a rare one."""
    kinds = [("Kitchen", "Pans")] * 30 + [("Garden", "Hoses")] * 27 + [("Sport", "Socks")] * 3
    return make_catalogue(
        [
            row(f"{kind[1]} {number} {colour}", f"A thing, no. {number}", kind)
            for number, kind in enumerate(kinds)
            for colour in ("red", "blue", "sage")
        ]
    )


def test_groups_are_never_split(catalogue):
    """Products with the same description are in the same fold, never in both training and test."""
    for fold in range(FOLDS):
        train, test = catalogue.split(fold)
        assert not {catalogue.groups[row] for row in train} & {
            catalogue.groups[row] for row in test
        }
        assert sorted([*train, *test]) == list(range(len(catalogue.rows)))


@given(st.text(), st.text(min_size=1))
def test_case_and_punctuation_make_no_group(name, description):
    """Case and punctuation do not change the group of a description."""
    plain = group_of(Product(name, f"pan {description}"))
    assert group_of(Product("other", f"-- PAN, {description}!")) == plain


def test_name_groups_where_there_is_no_description():
    """Without a word in the description, the name makes the group."""
    assert group_of(Product("Pan")) == group_of(Product("pan", "--"))
    assert group_of(Product("Pan")) != group_of(Product("Wok"))


def test_folds_do_not_move_as_data_grows(catalogue):
    """A product's fold does not depend on the other products."""
    half = make_catalogue(catalogue.rows[::2])
    assert half.folds.tolist() == catalogue.folds[::2].tolist()
    assert {fold_of(group) for group in catalogue.groups} == set(range(FOLDS))


def test_fold_is_of_the_hash():
    """A fold is the first 32 bits of the group's hash, modulo five."""
    assert [fold_of(f"{at:08x}" + "f" * 56) for at in (0, 7, 2**32 - 1)] == [0, 2, 0]


def test_labels_are_at_level_three():
    """A label is the id at level 3, or the last id of a shorter path."""
    path = tuple(Category(f"#{at}", "x") for at in range(5))
    assert label_of(path) == "#2"
    assert label_of(path[:2]) == "#1"


def test_path_of_names_is_the_id_where_there_is_none():
    """Without ids, categories of the same name under two parents are two labels."""
    first, other = (row("x", path=(top, "Sets"), ids=False) for top in ("Kitchen", "Garden"))
    assert label_of(first.path) == "Kitchen > Sets"
    assert label_of(other.path) == "Garden > Sets"


def test_rare_classes_are_other(catalogue):
    """Classes with too few products in the whole file become `other`, which comes last."""
    table = make_table(catalogue, 10, "text")
    assert table.classes == ("#Hoses", "#Pans", OTHER)
    assert np.bincount(table.targets(catalogue.labels)).tolist() == [81, 90, 9]


def test_single_class_is_no_table(catalogue):
    """A minimum that leaves only `other` gives no table."""
    assert make_table(catalogue, 1000, "text") is None
    assert make_table(catalogue, 85, "text").classes == ("#Pans", OTHER)


def test_unfolded_table_has_every_category(catalogue):
    """Unfolded, every category is a class, and no product is `other`."""
    table = make_table(catalogue, UNFOLDED, "text")
    assert table.unfolded
    assert table.name == "unfolded-text"
    assert table.classes == ("#Hoses", "#Pans", "#Socks", OTHER)
    assert table.targets(catalogue.labels).max() == 2
    assert make_table(catalogue, 10, "text").name == "10-text"


@pytest.mark.parametrize(
    ("minimum", "products", "categories", "enough"),
    [(1, 1, 1, True), (10, 171 / 180, 2 / 3, True), (85, 0.5, 1 / 3, False), (100, 0, 0, False)],
)
def test_what_folding_leaves(catalogue, minimum, products, categories, enough):
    """Products and categories with a class of their own remain; half of both is enough."""
    left = retained_by(catalogue, minimum)
    assert (left.products, left.categories) == pytest.approx((products, categories))
    assert left.enough == enough


def test_small_shop_is_too_small_for_the_usual_folding(catalogue):
    """Each of the usual tables is judged by what it leaves of a small shop."""
    assert [left.min_products for left in too_little_retained(catalogue)] == [100]


def test_large_shop_keeps_the_published_folding(catalogue):
    """A large shop keeps the published folding, even if only a sample of it is compared."""
    assert too_little_retained(make_catalogue(catalogue.rows, shop_size=SMALL_SHOP)) == []
    assert too_little_retained(make_catalogue(catalogue.rows, shop_size=SMALL_SHOP - 1)) != []


def test_late_folding_adds_probabilities_up():
    """Classes missing from a table add their probabilities to `other`."""
    table = Table(10, "text", ("a", "b", OTHER))
    fine = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    folded = table.fold(["b", "x", "a", "y"], fine)
    assert folded[0] == pytest.approx([0.3, 0.1, 0.6])


def test_text_is_text_alone(catalogue):
    """With text inputs, no candidate sees a manufacturer or a price."""
    rows = np.arange(3)
    assert {product.manufacturer for product in catalogue.products(rows, "text")} == {None}
    assert {product.price for product in catalogue.products(rows, "text")} == {None}
    assert {product.manufacturer for product in catalogue.products(rows, "attributes")} == {"Tarn"}


def test_sample_keeps_groups_whole(catalogue):
    """A sample has all variants of a product, or none."""
    drawn = sample(catalogue.rows, 90)
    assert 30 < len(drawn) < 150
    assert len(drawn) == 3 * len({group_of(labelled.product) for labelled in drawn})


def test_other_data_has_another_id(catalogue):
    """The hash that names the data changes with any label."""
    moved = [*catalogue.rows[:-1], row("Socks 59 sage", "A thing, no. 59", ("Sport", "Shoes"))]
    assert make_catalogue(moved).id != catalogue.id
    assert make_catalogue(catalogue.rows).id == catalogue.id


def test_too_few_products_are_refused():
    """A catalogue that cannot fill five folds is refused; the message says what to do."""
    with pytest.raises(DataError, match="Give more products"):
        make_catalogue([row("pan"), row("wok")])
