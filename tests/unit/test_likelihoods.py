"""How much likelier a class has a word, a manufacturer or a price than all products have it."""

from math import log

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model.rerank.naive_bayes import Likelihoods
from aisle.product import Product
from aisle_training.fit.naive_bayes import count_likelihoods

# Class 0: three pans at two prices; class 1: one kettle; class 2 has neither maker nor price.
PRODUCTS = [
    Product("Red pan", "fries", "Mott & Sons", 9.99),
    Product("Pan, pan!", None, "MOTT sons", 9.99),
    Product(None, "Blue pan", "Finch", 4.5),
    Product("Blue kettle", None, "Finch", 19.0),
    Product("Gift"),
]
LABELS = np.array([0, 0, 0, 1, 2])
TEXT, MANUFACTURER, PRICE = range(3)


def count(most_pairs=1000):
    """Count the made-up products."""
    return count_likelihoods(PRODUCTS, LABELS, 3, most_pairs=most_pairs)


def ratios(*products, likelihoods=None):
    """Return the log ratios of all three classes: (products, classes, fields)."""
    candidates = np.tile(np.arange(3), (len(products), 1))
    return (likelihoods or count()).log_ratios(products, candidates)


def smoothed(times, share, seen, distinct):
    """Return the log ratio of a value, as Witten and Bell have it."""
    return log((times / share + distinct) / (seen + distinct))


def test_price_by_hand():
    """A class that had the price twice gains; one that had another loses; one without says naught.

    The price is 2 of 4; class 0 has 3 prices, 2 of them distinct, class 1 has 1.
    """
    (found,) = ratios(Product(price=9.99))
    assert found[:, PRICE] == pytest.approx(
        [smoothed(2, 2 / 4, 3, 2), smoothed(0, 2 / 4, 1, 1), 0], rel=1e-6
    )
    assert not found[:, :PRICE].any()


def test_words_by_hand():
    """A text's words add up, each once, and the description only stands in for a name.

    Of the 8 words, class 0 has 5, 3 of them distinct, class 1 has 2; "pan" is 3, "blue" 2 of all.
    """
    (found,) = ratios(Product("PAN pan blue", "kettle"))
    expected = [
        smoothed(3, 3 / 8, 5, 3) + smoothed(1, 2 / 8, 5, 3),
        smoothed(0, 3 / 8, 2, 2) + smoothed(1, 2 / 8, 2, 2),
        2 * log(1 / 2),
    ]
    assert found[:, TEXT] == pytest.approx(expected, rel=1e-6)
    (other,) = ratios(Product(None, "pan, blue"))
    assert np.array_equal(other, found)


def test_manufacturer_is_one_value():
    """However it is typed, a manufacturer is its whole name, not its words."""
    (found,) = ratios(Product(manufacturer="mott SONS"))
    assert found[:, MANUFACTURER] == pytest.approx(
        [smoothed(2, 2 / 4, 3, 2), smoothed(0, 2 / 4, 1, 1), 0], rel=1e-6
    )
    (unknown,) = ratios(Product(manufacturer="Mott"))
    assert unknown[:, MANUFACTURER] == pytest.approx([log(2 / 5), log(1 / 2), 0], rel=1e-6)


def test_what_is_not_there_says_nothing():
    """A product without a value of a field is no likelier anywhere."""
    assert not ratios(Product(), Product("")).any()


def test_only_candidates_are_told():
    """Each product is told of its own candidates, in their order."""
    products = [PRODUCTS[0], PRODUCTS[3]]
    found = count().log_ratios(products, np.array([[2, 0], [1, 2]]))
    every = ratios(*products)
    assert np.array_equal(found, np.stack([every[0, [2, 0]], every[1, [1, 2]]]))


def test_alone_or_together():
    """What is said of a product does not depend on those beside it."""
    asked = [*PRODUCTS, Product(), Product("red blue gift kettle pan")]
    alone = np.concatenate([ratios(one) for one in asked])
    assert np.array_equal(ratios(*asked), alone)


def test_no_product():
    """Of no product, nothing is said."""
    assert ratios().shape == (0, 3, 3)


def test_any_price():
    """A price that no shop has is a price."""
    (found,) = ratios(Product(price=1e308))
    assert found[:, PRICE] == pytest.approx([log(2 / 5), log(1 / 2), 0], rel=1e-6)


def test_minus_zero_is_zero():
    """What is free is free, whichever sign its price has."""
    free = count_likelihoods([Product(price=0.0), PRODUCTS[0]], LABELS[2:4], 2, most_pairs=9)
    asked = [Product(price=0.0), Product(price=-0.0)]
    one, other = free.log_ratios(asked, np.tile(np.arange(2), (2, 1)))
    assert np.array_equal(one, other)
    assert one[0, PRICE] > 0


def test_nothing_counted():
    """Where no product has any value, every class is as likely as before."""
    nothing = count_likelihoods([Product()] * 2, np.arange(2), 3, most_pairs=10)
    assert not ratios(PRODUCTS[0], likelihoods=nothing).any()


def test_beyond_the_limit_the_rarest_values_are_left_out():
    """The frequent values stay as they are; a rare one is as one never seen.

    Of 12 pairs, 7 are of values that two or more products have.
    """
    found, every = ratios(PRODUCTS[0], likelihoods=count(most_pairs=9)), ratios(PRODUCTS[0])
    assert np.array_equal(found[:, :, [MANUFACTURER, PRICE]], every[:, :, [MANUFACTURER, PRICE]])
    assert found[0, 0, TEXT] == pytest.approx(
        smoothed(3, 3 / 8, 5, 3) + smoothed(0, 1, 5, 3), rel=1e-6
    )
    assert len(count(most_pairs=9).pairs) == 7 + 1


def test_round_trip():
    """What is written is what is read."""
    written = count()
    read = Likelihoods.from_bytes(written.to_bytes())
    assert np.array_equal(ratios(*PRODUCTS, likelihoods=read), ratios(*PRODUCTS))


@pytest.mark.parametrize("data", [b"", b"no numbers", count().to_bytes()[:-9]])
def test_garbage_is_refused(data):
    """Likelihoods that cannot be read are a clear error."""
    with pytest.raises(BundleError, match="likelihoods cannot be read"):
        Likelihoods.from_bytes(data)
