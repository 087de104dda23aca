"""Naive Bayes: the log ratio of how often a class and how often all products have a value."""

from math import log

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model.rerank.naive_bayes import NaiveBayesRatios, values
from aisle.product import Product
from aisle_training.fit.naive_bayes import fit_naive_bayes

# Class 0: three pans at two prices; class 1: a kettle; class 2: no manufacturer, no price.
PRODUCTS = [
    Product("Red pan", "fries", "Mott & Sons", 9.99),
    Product("Pan, pan!", None, "MOTT sons", 9.99),
    Product(None, "Blue pan", "Finch", 4.5),
    Product("Blue kettle", None, "Finch", 19.0),
    Product("Gift"),
]
LABELS = np.array([0, 0, 0, 1, 2])
# Not as many as fields; class 3 has no products.
CLASSES = 4
TEXT, MANUFACTURER, PRICE = range(3)


def fitted(most_pairs=1000):
    """Return naive Bayes of the made-up products."""
    return fit_naive_bayes(PRODUCTS, LABELS, CLASSES, most_pairs=most_pairs)


def ratios(*products, naive_bayes=None):
    """Return the log ratios of all classes: (products, classes, fields)."""
    candidates = np.tile(np.arange(CLASSES), (len(products), 1))
    return (naive_bayes or fitted()).log_ratios(products, candidates)


def smoothed(times, share, seen, distinct):
    """Return the log ratio of a value by Witten and Bell's formula."""
    return log((times / share + distinct) / (seen + distinct))


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (PRODUCTS[0], (["t:red", "t:pan"], ["m:mott sons"], ["p:9.99"])),
        (Product("Pan, pan!", "fries", None, 4), (["t:pan"], [], ["p:4.00"])),
        (Product(" ", "Blue pan", " ", -0.0), (["t:blue", "t:pan"], [], ["p:0.00"])),
        (Product(price=0.996), ([], [], ["p:1.00"])),
        (Product(), ([], [], [])),
    ],
)
def test_values(product, expected):
    """A bundle's counts are looked up by exactly these values, whoever wrote it."""
    assert tuple(map(list, values(product))) == expected


def test_price_by_hand():
    """A class that has the price twice gains, one with another price loses, others stay at 0.

    The price is 2 of 4; class 0 has 3 prices, 2 of them distinct, class 1 has 1.
    """
    (by_class,) = ratios(Product(price=9.99))
    assert by_class[:, PRICE] == pytest.approx(
        [smoothed(2, 2 / 4, 3, 2), smoothed(0, 2 / 4, 1, 1), 0, 0], rel=1e-6
    )
    assert not by_class[:, :PRICE].any()


def test_words_by_hand():
    """A text's words add up, each once, and the description only stands in for a name.

    Of the 8 words, class 0 has 5, 3 of them distinct, class 1 has 2; "pan" is 3, "blue" 2 of all.
    """
    (by_class,) = ratios(Product("PAN pan blue", "kettle"))
    expected = [
        smoothed(3, 3 / 8, 5, 3) + smoothed(1, 2 / 8, 5, 3),
        smoothed(0, 3 / 8, 2, 2) + smoothed(1, 2 / 8, 2, 2),
        2 * log(1 / 2),
        0,
    ]
    assert by_class[:, TEXT] == pytest.approx(expected, rel=1e-6)
    (other,) = ratios(Product(None, "pan, blue"))
    assert np.array_equal(other, by_class)


def test_manufacturer_is_one_value():
    """However it is typed, a manufacturer is its whole name, not its words."""
    (by_class,) = ratios(Product(manufacturer="mott SONS"))
    assert by_class[:, MANUFACTURER] == pytest.approx(
        [smoothed(2, 2 / 4, 3, 2), smoothed(0, 2 / 4, 1, 1), 0, 0], rel=1e-6
    )
    (unknown,) = ratios(Product(manufacturer="Mott"))
    assert unknown[:, MANUFACTURER] == pytest.approx([log(2 / 5), log(1 / 2), 0, 0], rel=1e-6)


def test_missing_values():
    """A product without a value of a field gets the ratio 1 for every class."""
    assert not ratios(Product(), Product("")).any()


def test_only_candidates():
    """Each product gets the ratios of its own candidates, in their order."""
    products = [PRODUCTS[0], PRODUCTS[3]]
    of_candidates = fitted().log_ratios(products, np.array([[2, 0], [1, 2]]))
    of_all = ratios(*products)
    assert np.array_equal(of_candidates, np.stack([of_all[0, [2, 0]], of_all[1, [1, 2]]]))


def test_alone_or_together():
    """A product's ratios, float32, do not depend on the others in the batch."""
    batch = [*PRODUCTS, Product(), Product("red blue gift kettle pan")]
    alone = np.concatenate([ratios(product) for product in batch])
    assert np.array_equal(ratios(*batch), alone)
    assert alone.dtype == np.float32


def test_no_product():
    """An empty batch gives an empty result."""
    assert ratios().shape == (0, CLASSES, 3)


def test_any_price():
    """A price that no class has is an unseen value, however large."""
    (by_class,) = ratios(Product(price=1e308))
    assert by_class[:, PRICE] == pytest.approx([log(2 / 5), log(1 / 2), 0, 0], rel=1e-6)


def test_minus_zero_is_zero():
    """Zero and minus zero are the same price."""
    free = fit_naive_bayes([Product(price=0.0), PRODUCTS[0]], LABELS[2:4], 2, most_pairs=9)
    batch = [Product(price=0.0), Product(price=-0.0)]
    zero, minus_zero = free.log_ratios(batch, np.tile(np.arange(2), (2, 1)))
    assert np.array_equal(zero, minus_zero)
    assert zero[0, PRICE] > 0


def test_nothing_counted():
    """If no training product has a value, every ratio is 1."""
    nothing = fit_naive_bayes([Product()] * 2, np.arange(2), CLASSES, most_pairs=10)
    assert not ratios(PRODUCTS[0], naive_bayes=nothing).any()


def test_beyond_the_limit_the_rarest_values_are_left_out():
    """Frequent values keep their ratios; the rarest count as unseen."""
    by_class, complete = ratios(PRODUCTS[0], naive_bayes=fitted(most_pairs=9)), ratios(PRODUCTS[0])
    fields = [MANUFACTURER, PRICE]
    assert np.array_equal(by_class[:, :, fields], complete[:, :, fields])
    assert by_class[0, 0, TEXT] == pytest.approx(
        smoothed(3, 3 / 8, 5, 3) + smoothed(0, 1, 5, 3), rel=1e-6
    )


@pytest.mark.parametrize(("most_pairs", "kept"), [(13, 12), (12, 12), (11, 7), (8, 7), (7, 7)])
def test_values_of_equal_frequency_are_kept_or_left_out_together(most_pairs, kept):
    """At the limit nothing is left out; beyond it, all values as rare as the first too many.

    Of 12 pairs, 7 are of values that two or more products have, 5 of values that one has.
    """
    assert len(fitted(most_pairs).pairs) == kept + 1


def test_round_trip():
    """Reading returns what was written, of the same types."""
    written = fitted()
    read = NaiveBayesRatios.from_bytes(written.to_bytes(), "naive_bayes")
    assert np.array_equal(ratios(*PRODUCTS, naive_bayes=read), ratios(*PRODUCTS))
    types = [array.dtype for array in (read.lines, read.absent, read.pairs, read.gains)]
    assert types == [np.uint8, np.float32, np.int64, np.float32]


@pytest.mark.parametrize("data", [b"", b"no numbers", fitted().to_bytes()[:-9]])
def test_garbage_is_refused(data):
    """Data that cannot be read is a clear error, which names the file."""
    with pytest.raises(BundleError, match=r"nb\.x cannot be read"):
        NaiveBayesRatios.from_bytes(data, "nb.x")
