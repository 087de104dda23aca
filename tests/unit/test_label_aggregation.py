"""Whom to believe: each rule alone, on products and categories that are made up."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aisle.access import scopes
from aisle.feedback.event import FeedbackEvent
from aisle.product import Product, path_from_names
from aisle_training import parameters
from aisle_training.data.annotations import Annotation
from aisle_training.data.label_aggregation import Reference, aggregate

SETTINGS = parameters.load().feedback
LAMPS, SOCKS, PANS = (path_from_names(["Shop", name]) for name in ("Lamps", "Socks", "Pans"))
NOBODY = Reference({}, {}, {})


def said(product, path, *, client="shop", at=0, review=None):
    """Say something of a product."""
    own = f"{product}/{client}/{path[-1].name}/{at}"
    received = datetime(2026, 11, 22, 12, at, tzinfo=UTC)
    event = FeedbackEvent(own, client, received, Product(product), review=review)
    return Annotation(event, (product, ""), path)


def believe(*what, known=NOBODY, settings=SETTINGS, wrong=()):
    """Settle what was said; products in `wrong` look wrong."""
    return aggregate(
        what, known, settings, find_errors=lambda asked: [one.identity[0] in wrong for one in asked]
    )


def states(settled):
    """Return the state of each event, by product, client and category."""
    return {own.rsplit("/", 1)[0]: state for own, (state, _) in settled.states.items()}


def labels(settled):
    """Return the label of each product."""
    return {identity[0]: label.path for identity, label in settled.labels.items()}


def test_one_statement_is_believed():
    """What one client says of one product is taken."""
    settled = believe(said("a", LAMPS))
    assert labels(settled) == {"a": LAMPS}
    assert states(settled) == {"a/shop/Lamps": "accepted"}


def test_last_word_of_a_client_counts():
    """A client who changes its mind has one vote: the later one."""
    settled = believe(said("a", LAMPS), said("a", SOCKS, at=1))
    assert labels(settled) == {"a": SOCKS}
    assert states(settled) == {"a/shop/Lamps": "replaced", "a/shop/Socks": "accepted"}
    assert settled.contradictions == []


def test_majority_goes_before_recency():
    """Two clients outvote a third who spoke last, and the contradiction is reported."""
    settled = believe(
        said("a", LAMPS, client="one"),
        said("a", LAMPS, client="two", at=1),
        said("a", SOCKS, client="three", at=2),
    )
    assert labels(settled) == {"a": LAMPS}
    assert states(settled)["a/three/Socks"] == "outvoted"
    (found,) = settled.contradictions
    assert found["votes"] == {"Shop > Lamps": 2, "Shop > Socks": 1}
    assert found["taken"] == "Shop > Lamps"


def test_recency_decides_among_equals():
    """Of two that contradict each other, the later one counts."""
    settled = believe(said("a", LAMPS, client="one"), said("a", SOCKS, client="two", at=1))
    assert labels(settled) == {"a": SOCKS}


def test_reviewed_feedback_goes_before_votes():
    """What a person accepted counts against any number of others."""
    settled = believe(
        said("a", SOCKS, client="one", review="accepted"),
        said("a", LAMPS, client="two", at=1),
        said("a", LAMPS, client="three", at=2),
    )
    assert labels(settled) == {"a": SOCKS}


def test_rejected_feedback_is_never_learnt():
    """What a person rejected has no vote."""
    settled = believe(said("a", SOCKS, review="rejected"))
    assert labels(settled) == {}
    assert states(settled) == {"a/shop/Socks": "rejected"}


@pytest.mark.parametrize(("review", "state"), [(None, "held"), ("accepted", "accepted")])
def test_visitors_are_held_until_a_person_decides(review, state):
    """What the page's visitors say waits for a review."""
    settled = believe(said("a", LAMPS, client=scopes.SITE, review=review))
    assert states(settled) == {"a/site/Lamps": state}


@pytest.mark.parametrize(("products", "most"), [(0, 3), (10, 5)])
def test_one_client_moves_no_more_than_its_share(products, most):
    """Beyond its share of the class, or the least number, what one client says is held."""
    settings = replace(SETTINGS, client_products=3, client_share=0.5)
    known = Reference({}, {LAMPS[-1].id: products}, {})
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at) for at in range(8)), known=known, settings=settings
    )
    assert len(settled.labels) == most
    assert sorted(states(settled).values()) == ["accepted"] * most + ["held"] * (8 - most)


def test_share_counts_each_class_and_client_alone():
    """Another client, and another class, have shares of their own."""
    settings = replace(SETTINGS, client_products=1)
    settled = believe(
        said("a", LAMPS),
        said("b", SOCKS, at=1),
        said("c", LAMPS, client="other", at=2),
        settings=settings,
    )
    assert len(settled.labels) == 3


def test_share_does_not_count_what_the_shop_says_too():
    """Confirming the shop's own labels moves nothing."""
    known = Reference({(f"p{at}", ""): LAMPS for at in range(5)}, {}, {})
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at) for at in range(5)),
        known=known,
        settings=replace(SETTINGS, client_products=1),
    )
    assert len(settled.labels) == 5


def test_reviewed_feedback_is_beyond_any_share():
    """What a person accepted is not held for who said how much."""
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at, review="accepted") for at in range(5)),
        settings=replace(SETTINGS, client_products=1),
    )
    assert len(settled.labels) == 5


def sources(kinds):
    """Know 40 products of so many categories."""
    paths = [path_from_names([f"kind {at}"]) for at in range(kinds)]
    return Reference({}, {}, {(f"p{at}", ""): paths[at % kinds] for at in range(40)})


@pytest.mark.parametrize(("kinds", "believed"), [(3, 40), (20, 0)])
def test_one_label_for_everything_is_quarantined(kinds, believed):
    """Products of a few categories may be one family; of twenty, they are not, whoever says so."""
    settled = believe(
        *(said(f"p{at}", LAMPS, client=f"client {at % 9}", at=at) for at in range(40)),
        known=sources(kinds),
    )
    assert len(settled.labels) == believed
    assert set(states(settled).values()) == {"accepted" if believed else "quarantined"}


def test_one_label_for_everything_of_which_a_person_knows():
    """What a person accepted is not quarantined."""
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at, review="accepted") for at in range(40)), known=sources(20)
    )
    assert len(settled.labels) == 40


def test_what_looks_wrong_is_quarantined():
    """A label that products like it make improbable waits for a person; others are taken."""
    settled = believe(said("a", LAMPS), said("b", SOCKS, at=1), wrong=["a"])
    assert labels(settled) == {"b": SOCKS}
    assert states(settled) == {"a/shop/Lamps": "quarantined", "b/shop/Socks": "accepted"}


@pytest.mark.parametrize("review", ["accepted", None])
def test_what_looks_wrong_is_not_asked_of_what_is_known(review):
    """Neither what a person accepted nor what the shop says too is judged by its neighbours."""
    known = Reference({} if review else {("a", ""): LAMPS}, {}, {})
    settled = believe(said("a", LAMPS, review=review), known=known, wrong=["a"])
    assert labels(settled) == {"a": LAMPS}


def test_every_event_has_a_state():
    """Nothing is dropped: all that was said is somewhere, with why."""
    what = [
        said("a", LAMPS, client=scopes.SITE),
        said("a", SOCKS, client="one", at=1),
        said("a", PANS, client="two", at=2),
        said("b", PANS, client="two", at=3, review="rejected"),
        said("c", PANS, client="two", at=4),
    ]
    settled = believe(*what, wrong=["c"])
    assert set(settled.states) == {one.event.id for one in what}
    assert sorted(states(settled).values()) == [
        "accepted",
        "held",
        "outvoted",
        "quarantined",
        "rejected",
    ]
