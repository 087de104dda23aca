"""Statements read from feedback events: which product, and which category was meant."""

import json
from datetime import date

import pytest

from aisle.feedback.event import read_events
from aisle.product import path_from_names
from aisle.store import FolderStore, layout
from aisle_training.artefacts import Artefacts
from aisle_training.data.annotations import CategoryIndex, read_annotations
from tests.events_of import say

LAMPS = path_from_names(["Home", "Lamps"], ["h", "h-l"])
SOCKS = path_from_names(["Sport", "Socks"])


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


@pytest.fixture
def shelves():
    """Give a shop of two categories."""
    return CategoryIndex([LAMPS, SOCKS])


def read(store, shelves):
    """Read all events; return the statements, and why others are unusable."""
    events, broken = read_events(store)
    statements, unusable = read_annotations(store, events, shelves, Artefacts(store).known)
    return statements, unusable | {damaged.id: damaged.why for damaged in broken}


# The category that is meant.


@pytest.mark.parametrize(
    ("own", "names", "path"),
    [
        ("h-l", None, LAMPS),
        (None, ["Home", "Lamps"], LAMPS),
        (None, ["home ", "LAMPS"], LAMPS),
        ("h-l", ["Anything", "Else"], LAMPS),
        ("Sport > Socks", None, SOCKS),
        (None, ["Sport"], SOCKS[:1]),
        ("unheard of", None, None),
    ],
)
def test_known_categories_are_found(shelves, own, names, path):
    """A category is found by id or by names in any spelling; the id comes first."""
    assert shelves.find(own, names) == path


def test_new_category_branches_off_a_known_one(shelves):
    """The known part of a new path keeps its ids; the rest is named by its path."""
    path = shelves.find(None, ["HOME", "Drones", "Mini"])
    assert [node.id for node in path] == ["h", "Home > Drones", "Home > Drones > Mini"]
    assert [node.name for node in path] == ["Home", "Drones", "Mini"]
    assert "Home > Drones" not in shelves.known


def test_new_category_spelled_otherwise_is_the_same(shelves):
    """A new category is the same one in every spelling."""
    assert shelves.find(None, ["Toys", "Drones"]) == shelves.find(None, ["toys", "DRONES"])


def test_new_category_with_an_id_keeps_it(shelves):
    """An id given with a new path identifies its last category from then on."""
    path = shelves.find("d-1", ["Home", "Drones"])
    assert path[-1].id == "d-1"
    assert shelves.find("d-1", None) == path


# The statements.


def test_events_are_read_in_the_order_of_time(store, shelves):
    """Statements come oldest first, each with its client and its product."""
    late = say(store, "Red Lamp", LAMPS_BY_NAME, at=60)
    early = say(store, "Blue <b>Lamp</b>", {"id": "h-l"}, client="other")
    statements, unusable = read(store, shelves)
    assert [statement.event.id for statement in statements] == [early, late]
    assert [statement.event.client for statement in statements] == ["other", "shop"]
    assert [statement.identity for statement in statements] == [("blue lamp", ""), ("red lamp", "")]
    assert {statement.path for statement in statements} == {LAMPS}
    assert unusable == {}


LAMPS_BY_NAME = ("Home", "Lamps")


def test_unknown_id_alone_is_unusable(store, shelves):
    """An unknown id without a path is unusable, and the reason says so."""
    own = say(store, "Red Lamp", {"id": "nothing"})
    statements, unusable = read(store, shelves)
    assert statements == []
    assert "no category has the id 'nothing'" in unusable[own]


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"product": {"colour": "red"}}'])
def test_damaged_event_is_reported_and_hurts_no_other(store, shelves, content):
    """A damaged event is reported; the others are read."""
    store.put(layout.feedback_event(date(2026, 11, 22), "0" * 32), content)
    good = say(store, "Red Lamp", LAMPS_BY_NAME)
    statements, unusable = read(store, shelves)
    assert [statement.event.id for statement in statements] == [good]
    assert list(unusable) == ["0" * 32]


def test_review_comes_with_its_event(store, shelves):
    """A statement has the review decision of its event."""
    own = say(store, "Red Lamp", LAMPS_BY_NAME)
    decision = {"event": own, "decision": "rejected"}
    store.put(layout.review(own), json.dumps(decision).encode())
    (statement,) = read(store, shelves)[0]
    assert statement.event.review == "rejected"


def test_confirmation_of_an_unknown_model_is_unusable(store, shelves):
    """Nobody here knows what a model that is not in the store predicted."""
    own = say(store, "HDMI Cable", right=True, prediction_id="0" * 24)
    assert "a model that this store does not have" in read(store, shelves)[1][own]
