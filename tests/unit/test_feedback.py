"""Feedback read back: what was said of which product, and which category was meant."""

import json
from datetime import date

import pytest

from aisle.feedback.event import read_events
from aisle.product import path_from_names
from aisle.store import FolderStore, layout
from aisle_training.artefacts import Artefacts
from aisle_training.data.said import Shelves, read_said
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
    return Shelves([LAMPS, SOCKS])


def read(store, shelves):
    """Read all there is; return what was said, and what cannot be used."""
    events, broken = read_events(store)
    said, unusable = read_said(store, events, shelves, Artefacts(store).known)
    return said, unusable | {each.id: each.why for each in broken}


# Which category is meant.


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
    """By id, by names however they are spelled, or by both; the id goes before the names."""
    assert shelves.find(own, names) == path


def test_new_category_branches_off_a_known_one(shelves):
    """What is known of a new path stays as the shop has it; the rest is named by its path."""
    found = shelves.find(None, ["HOME", "Drones", "Mini"])
    assert [node.id for node in found] == ["h", "Home > Drones", "Home > Drones > Mini"]
    assert [node.name for node in found] == ["Home", "Drones", "Mini"]
    assert "Home > Drones" not in shelves.known


def test_new_category_spelled_otherwise_is_the_same(shelves):
    """The second who names a new category means the same one, whatever the case."""
    assert shelves.find(None, ["Toys", "Drones"]) == shelves.find(None, ["toys", "DRONES"])


def test_new_category_with_an_id_keeps_it(shelves):
    """An id that comes with a new path names its last category from then on."""
    found = shelves.find("d-1", ["Home", "Drones"])
    assert found[-1].id == "d-1"
    assert shelves.find("d-1", None) == found


# What was said.


def test_events_are_read_in_the_order_of_time(store, shelves):
    """The oldest comes first, whatever its name; each has who said it and what it is."""
    late = say(store, "Red Lamp", LAMPS_BY_NAME, at=60)
    early = say(store, "Blue <b>Lamp</b>", {"id": "h-l"}, client="other")
    said, unusable = read(store, shelves)
    assert [one.event.id for one in said] == [early, late]
    assert [one.event.client for one in said] == ["other", "shop"]
    assert [one.identity for one in said] == [("blue lamp", ""), ("red lamp", "")]
    assert {one.path for one in said} == {LAMPS}
    assert unusable == {}


LAMPS_BY_NAME = ("Home", "Lamps")


def test_unknown_id_alone_is_unusable(store, shelves):
    """A category that is only an id that nobody knows cannot be placed, which is said."""
    own = say(store, "Red Lamp", {"id": "nothing"})
    said, unusable = read(store, shelves)
    assert said == []
    assert "no category has the id 'nothing'" in unusable[own]


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"product": {"colour": "red"}}'])
def test_damaged_event_is_told_and_hurts_no_other(store, shelves, content):
    """What cannot be read is reported; the rest is read."""
    store.put(layout.feedback_event(date(2026, 11, 22), "0" * 32), content)
    good = say(store, "Red Lamp", LAMPS_BY_NAME)
    said, unusable = read(store, shelves)
    assert [one.event.id for one in said] == [good]
    assert list(unusable) == ["0" * 32]


def test_review_comes_with_its_event(store, shelves):
    """What a person decided of an event is known where it is judged."""
    own = say(store, "Red Lamp", LAMPS_BY_NAME)
    decision = {"event": own, "decision": "rejected"}
    store.put(layout.review(own), json.dumps(decision).encode())
    (found,) = read(store, shelves)[0]
    assert found.event.review == "rejected"


def test_confirmation_of_an_unknown_model_is_unusable(store, shelves):
    """Nobody here knows what a model that is not in the store predicted."""
    own = say(store, "HDMI Cable", right=True, prediction_id="0" * 24)
    assert "a model that is not here" in read(store, shelves)[1][own]
