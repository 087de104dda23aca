"""Label errors: labels that look wrong beside their nearest neighbours."""

import random

import pytest

from aisle_training.data.label_errors import find_label_errors

WORDS = {
    "kettles": "kettle steel boil water spout cordless litre",
    "socks": "sock wool running ankle pair cotton",
    "lamps": "lamp desk light bulb reading led shade",
}


def shop(count=120):
    """Make products of three categories, each with four words of its category."""
    chance = random.Random(0)
    kinds = list(WORDS)
    labels = [kinds[number % 3] for number in range(count)]
    return [" ".join(chance.sample(WORDS[own].split(), 4)) for own in labels], labels


def judge(feedback, *, known=()):
    """Judge pairs of text and label beside the shop, and beside other known pairs."""
    texts, labels = shop()
    texts += [text for text, _ in known]
    labels += [label for _, label in known]
    asked = [False] * len(texts) + [True] * len(feedback)
    return find_label_errors(
        texts + [text for text, _ in feedback],
        labels + [label for _, label in feedback],
        judged=asked,
        neighbours=10,
    )


def test_label_like_its_neighbours_is_believed():
    """A label like those of its neighbours is believed."""
    assert judge([("sock wool ankle", "socks"), ("lamp desk led", "lamps")]) == [False, False]


def test_label_against_all_neighbours_looks_wrong():
    """A kettle labelled as socks looks wrong; the correct label beside it does not."""
    assert judge([("kettle steel spout", "socks"), ("kettle water", "kettles")]) == [True, False]


def test_family_supports_itself():
    """Many equal labels of similar products are believed, even for a new category."""
    family = [
        (f"drone quadcopter rotor flight {number} led light", "drones") for number in range(15)
    ]
    assert not any(judge(family))


def test_near_neighbours_count_more_than_far_ones():
    """A few near neighbours outweigh many far ones, even those that share a word."""
    drones = [(f"drone quadcopter rotor flight {number} light", "drones") for number in range(4)]
    assert judge([("drone quadcopter light", "lamps")], known=drones) == [True]
    assert judge([("drone quadcopter light", "drones")], known=drones) == [False]


@pytest.mark.parametrize("feedback", [[], [("sock", "socks")]])
def test_few_products_accuse_nobody(feedback):
    """With too few products, no label looks wrong."""
    texts, labels = zip(*feedback, strict=True) if feedback else ((), ())
    flags = find_label_errors(texts, labels, judged=[True] * len(feedback), neighbours=10)
    assert flags == [False] * len(feedback)


def test_product_without_a_known_word_is_judged():
    """A product without a known word is judged, too."""
    assert len(judge([("zvqx", "socks")])) == 1
