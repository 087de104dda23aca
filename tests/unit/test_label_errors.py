"""Which labels look wrong beside their neighbours."""

import random

import pytest

from aisle_training.data.label_errors import find_label_errors

WORDS = {
    "kettles": "kettle steel boil water spout cordless litre",
    "socks": "sock wool running ankle pair cotton",
    "lamps": "lamp desk light bulb reading led shade",
}


def shop(count=120):
    """Make products of three categories, each of four of its category's words."""
    chance = random.Random(0)
    kinds = list(WORDS)
    labels = [kinds[at % 3] for at in range(count)]
    return [" ".join(chance.sample(WORDS[own].split(), 4)) for own in labels], labels


def judge(feedback):
    """Judge pairs of a text and a label beside the shop."""
    texts, labels = shop()
    asked = [False] * len(texts) + [True] * len(feedback)
    return find_label_errors(
        texts + [text for text, _ in feedback],
        labels + [label for _, label in feedback],
        judged=asked,
        neighbours=10,
    )


def test_label_like_its_neighbours_is_believed():
    """What products like it are, a product may be."""
    assert judge([("sock wool ankle", "socks"), ("lamp desk led", "lamps")]) == [False, False]


def test_label_against_all_neighbours_looks_wrong():
    """A kettle that is called socks stands out, and the one that is right beside it does not."""
    assert judge([("kettle steel spout", "socks"), ("kettle water", "kettles")]) == [True, False]


def test_family_supports_itself():
    """Many that say the same of products that are alike are believed, against what was known."""
    family = [(f"drone quadcopter rotor flight {at} led light", "drones") for at in range(15)]
    assert not any(judge(family))


@pytest.mark.parametrize("feedback", [[], [("sock", "socks")]])
def test_little_to_go_by_accuses_nobody(feedback):
    """With hardly any product there is no telling."""
    texts, labels = zip(*feedback, strict=True) if feedback else ((), ())
    found = find_label_errors(texts, labels, judged=[True] * len(feedback), neighbours=10)
    assert found == [False] * len(feedback)


def test_product_without_a_known_word_is_judged_all_the_same():
    """Unknown words have neighbours too, none of them near: no crash, one answer."""
    assert len(judge([("zvqx", "socks")])) == 1
