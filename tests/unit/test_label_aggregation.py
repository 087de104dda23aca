"""Label aggregation: each rule by itself, on made-up products."""

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
    """Make a statement about a product."""
    own = f"{product}/{client}/{path[-1].name}/{at}"
    received = datetime(2026, 11, 22, 12, at, tzinfo=UTC)
    event = FeedbackEvent(own, client, received, Product(product), review=review)
    return Annotation(event, (product, ""), path)


def believe(*statements, known=NOBODY, settings=SETTINGS, wrong=()):
    """Aggregate statements; the labels of products in `wrong` look wrong."""
    return aggregate(
        statements,
        known,
        settings,
        find_errors=lambda asked: [statement.identity[0] in wrong for statement in asked],
    )


def states(settled):
    """Return the state of each event, by product, client and category."""
    return {own.rsplit("/", 1)[0]: state for own, (state, _) in settled.states.items()}


def labels(settled):
    """Return the label of each product."""
    return {identity[0]: label.path for identity, label in settled.labels.items()}


def test_single_statement_is_accepted():
    """A single statement is accepted."""
    settled = believe(said("a", LAMPS))
    assert labels(settled) == {"a": LAMPS}
    assert states(settled) == {"a/shop/Lamps": "accepted"}


def test_latest_statement_of_a_client_counts():
    """A client has one vote for a product: its latest statement."""
    settled = believe(said("a", LAMPS), said("a", SOCKS, at=1))
    assert labels(settled) == {"a": SOCKS}
    assert states(settled) == {"a/shop/Lamps": "replaced", "a/shop/Socks": "accepted"}
    assert settled.contradictions == []


def test_majority_beats_recency():
    """Two clients outvote a third, later one, and the contradiction is reported."""
    settled = believe(
        said("a", LAMPS, client="one"),
        said("a", LAMPS, client="two", at=1),
        said("a", SOCKS, client="three", at=2),
    )
    assert labels(settled) == {"a": LAMPS}
    assert states(settled)["a/three/Socks"] == "outvoted"
    (contradiction,) = settled.contradictions
    assert contradiction["votes"] == {"Shop > Lamps": 2, "Shop > Socks": 1}
    assert contradiction["taken"] == "Shop > Lamps"


def test_recency_breaks_ties():
    """Of two contradicting statements, the later one counts."""
    settled = believe(said("a", LAMPS, client="one"), said("a", SOCKS, client="two", at=1))
    assert labels(settled) == {"a": SOCKS}


def test_review_beats_votes():
    """A statement that a person accepted beats any number of others."""
    settled = believe(
        said("a", SOCKS, client="one", review="accepted"),
        said("a", LAMPS, client="two", at=1),
        said("a", LAMPS, client="three", at=2),
    )
    assert labels(settled) == {"a": SOCKS}


def test_rejected_feedback_is_never_learnt():
    """A statement that a person rejected has no vote."""
    settled = believe(said("a", SOCKS, review="rejected"))
    assert labels(settled) == {}
    assert states(settled) == {"a/shop/Socks": "rejected"}


@pytest.mark.parametrize(("review", "state"), [(None, "held"), ("accepted", "accepted")])
def test_visitors_are_held_until_a_person_decides(review, state):
    """A visitor's statement waits for a review."""
    settled = believe(said("a", LAMPS, client=scopes.SITE, review=review))
    assert states(settled) == {"a/site/Lamps": state}


@pytest.mark.parametrize(("products", "most"), [(0, 3), (10, 5)])
def test_client_is_limited_to_its_share(products, most):
    """A client's statements beyond its share of a class, or the minimum, are held."""
    settings = replace(SETTINGS, client_products=3, client_share=0.5)
    known = Reference({}, {LAMPS[-1].id: products}, {})
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at) for at in range(8)), known=known, settings=settings
    )
    assert len(settled.labels) == most
    assert sorted(states(settled).values()) == ["accepted"] * most + ["held"] * (8 - most)


def test_share_counts_each_class_and_client_alone():
    """Each client has a share of its own in each class."""
    settings = replace(SETTINGS, client_products=1)
    settled = believe(
        said("a", LAMPS),
        said("b", SOCKS, at=1),
        said("c", LAMPS, client="other", at=2),
        settings=settings,
    )
    assert len(settled.labels) == 3


def test_share_does_not_count_confirmed_labels():
    """Statements that confirm the shop's own labels do not use up a share."""
    known = Reference({(f"p{at}", ""): LAMPS for at in range(5)}, {}, {})
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at) for at in range(5)),
        known=known,
        settings=replace(SETTINGS, client_products=1),
    )
    assert len(settled.labels) == 5


def test_accepted_feedback_needs_no_share():
    """Accepted statements do not count against a share."""
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at, review="accepted") for at in range(5)),
        settings=replace(SETTINGS, client_products=1),
    )
    assert len(settled.labels) == 5


def sources(kinds):
    """Make 40 known products in this many categories."""
    paths = [path_from_names([f"kind {at}"]) for at in range(kinds)]
    return Reference({}, {}, {(f"p{at}", ""): paths[at % kinds] for at in range(40)})


@pytest.mark.parametrize(("kinds", "believed"), [(3, 40), (20, 0)])
def test_one_label_for_everything_is_quarantined(kinds, believed):
    """One label for products of a few categories is plausible; for twenty categories it is not."""
    settled = believe(
        *(said(f"p{at}", LAMPS, client=f"client {at % 9}", at=at) for at in range(40)),
        known=sources(kinds),
    )
    assert len(settled.labels) == believed
    assert set(states(settled).values()) == {"accepted" if believed else "quarantined"}


@pytest.mark.parametrize(("products", "accepted"), [(19, 19), (20, 0)])
def test_one_label_for_everything_needs_many_products(products, accepted):
    """A few products of as many categories may really belong together."""
    settled = believe(
        *(said(f"p{number}", LAMPS, at=number) for number in range(products)), known=sources(20)
    )
    assert len(settled.labels) == accepted


def test_rare_source_categories_hardly_count():
    """Forty products, thirty of them in one of eleven categories, may be one family."""
    paths = [path_from_names([f"kind {max(0, number - 29)}"]) for number in range(40)]
    known = Reference({}, {}, {(f"p{number}", ""): path for number, path in enumerate(paths)})
    settled = believe(*(said(f"p{number}", LAMPS, at=number) for number in range(40)), known=known)
    assert len({path[-1].id for path in paths}) == 11
    assert len(settled.labels) == 40


def test_accepted_label_for_everything_is_learnt():
    """Accepted statements are not quarantined."""
    settled = believe(
        *(said(f"p{at}", LAMPS, at=at, review="accepted") for at in range(40)), known=sources(20)
    )
    assert len(settled.labels) == 40


def test_label_error_is_quarantined():
    """A label that looks wrong is quarantined; the others are accepted."""
    settled = believe(said("a", LAMPS), said("b", SOCKS, at=1), wrong=["a"])
    assert labels(settled) == {"b": SOCKS}
    assert states(settled) == {"a/shop/Lamps": "quarantined", "b/shop/Socks": "accepted"}


@pytest.mark.parametrize("review", ["accepted", None])
def test_known_labels_are_not_checked(review):
    """Neither accepted statements nor the shop's own labels are checked for label errors."""
    known = Reference({} if review else {("a", ""): LAMPS}, {}, {})
    settled = believe(said("a", LAMPS, review=review), known=known, wrong=["a"])
    assert labels(settled) == {"a": LAMPS}


def test_every_event_has_a_state():
    """Every statement ends in a state; none is dropped."""
    statements = [
        said("a", LAMPS, client=scopes.SITE),
        said("a", SOCKS, client="one", at=1),
        said("a", PANS, client="two", at=2),
        said("b", PANS, client="two", at=3, review="rejected"),
        said("c", PANS, client="two", at=4),
    ]
    settled = believe(*statements, wrong=["c"])
    assert set(settled.states) == {statement.event.id for statement in statements}
    assert sorted(states(settled).values()) == [
        "accepted",
        "held",
        "outvoted",
        "quarantined",
        "rejected",
    ]
