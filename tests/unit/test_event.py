"""Feedback events in the store: written, read back, and read from earlier versions."""

import json
import logging

import pytest

from aisle.errors import DataError
from aisle.feedback.count import Counter
from aisle.feedback.event import (
    EVENT_VERSION,
    FeedbackEvent,
    NamedCategory,
    Unusable,
    new_event,
    read_events,
    record_feedback,
)
from aisle.feedback.processed import Processed, last_report, read_processed, write_processed
from aisle.product import Product
from aisle.store import FolderStore, layout
from tests.events_of import NOON, VERSION_1, put, say

GOPRO = Product("GoPro - Camera Mount Kit", price=12.0)
FULL = {
    "product": Product("Röd lampa", "Lång <b>beskrivning</b>", "X", 12.5),
    "category": NamedCategory("x", ("A", "B")),
    "prediction_id": "e24dca6a3c5b9d85e75e772a",
    "note": "é",
}


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def event(**facts):
    """Make an event from the shop, received at noon."""
    product = facts.pop("product", GOPRO)
    return new_event(product, client="shop", now=NOON, **facts)


def test_round_trip(store):
    """An event is read as it was recorded, in the current version."""
    written = event(**FULL, predicted=NamedCategory("y", ("A", "C")))
    assert record_feedback(store, written).new
    assert read_events(store) == ([written], [])
    (name,) = store.list(layout.feedback_prefix())
    assert json.loads(store.get(name).data)["version"] == EVENT_VERSION == 2


@pytest.mark.parametrize(
    ("facts", "own"),
    [
        (
            {"category": NamedCategory("abcat0410022")},
            "96009d24b21be22fdca74e726029ab9aab8fbc3dd3a8aca359ddc63594e5bc09",
        ),
        (FULL, "a40e9392776af73c3c95dee55ac969ee90a694f775722ec81933060819c03781"),
        (
            {
                "product": Product("tv"),
                "right": True,
                "prediction_id": "e24dca6a3c5b9d85e75e772a",
            },
            "917ffc08b0d27ecd64436523a0b49c9db65681dfb84b8801bac3a50fcb01e01e",
        ),
    ],
)
def test_the_id_of_an_event_has_not_changed(facts, own):
    """An event has the id that version 1 gave it, whatever was predicted, so a retry finds it."""
    assert event(**facts).id == own
    assert event(**facts, predicted=NamedCategory("other")).id == own


def test_a_retry_after_an_update_changes_nothing(store):
    """An event stored in version 1 is recognized when it is sent again, and stays as it is."""
    again = event(category=NamedCategory("abcat0410022"), predicted=NamedCategory("abcat0410022"))
    name = put(store, again.id, VERSION_1)
    assert not record_feedback(store, again).new
    assert json.loads(store.get(name).data) == VERSION_1


# Earlier and later versions.


def test_version_1_is_read(store):
    """A version 1 event is read; its prediction is unknown, so it may disagree."""
    put(store, "a" * 64, VERSION_1)
    expected = FeedbackEvent(
        id="a" * 64,
        client="shop",
        received=NOON,
        product=GOPRO,
        category=NamedCategory("abcat0410022"),
    )
    assert read_events(store) == ([expected], [])
    assert expected.disagrees


@pytest.mark.parametrize("version", [1, None])
def test_version_1_has_no_prediction(store, version):
    """A field `predicted` in version 1, or without a version, is not the prediction."""
    stored = VERSION_1 | {"version": version, "predicted": "something"}
    put(store, "a" * 64, {name: value for name, value in stored.items() if value is not None})
    ((read,), _) = read_events(store)
    assert read.predicted is None


def test_future_version_is_unusable_but_hurts_no_other(store, caplog):
    """A future version is reported with name and version; the other events are read."""
    name = put(store, "b" * 64, VERSION_1 | {"version": EVENT_VERSION + 1})
    good = say(store, "Red Lamp", {"id": "x"})
    events, (unusable,) = read_events(store)
    assert [read.id for read in events] == [good]
    assert unusable.id == "b" * 64
    assert name in unusable.why
    assert "version 3" in unusable.why
    with caplog.at_level(logging.WARNING):
        counter = Counter(store)
        assert (counter().events, counter().unusable) == (1, 1)
    assert caplog.text.count(name) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff", "decode"),
        (b"[" * 100_000, "too deep"),
        (b"[]", "list"),
        (b"{}", "'client' is missing"),
        ({"version": "2"}, "version 2"),
        ({"version": 0}, "version 0"),
        ({"client": 5}, "5 is not a string"),
        ({"client": None}, "None is not a string"),
        ({"received": "now"}, "now"),
        ({"received": "0001-01-01T00:00:00+14:00"}, "version 1"),
        ({"product": None}, "version 1"),
        ({"product": "tv"}, "version 1"),
        ({"product": {"colour": "red"}}, "colour"),
        ({"product": {"name": 5}}, "5 is not a string"),
        ({"product": {"name": "tv", "price": "5"}}, "price is '5'"),
        ({"product": {"name": "tv", "price": float("inf")}}, "price is inf"),
        ({"category": None}, "neither names the right category"),
        ({"category": {}}, "neither an id nor a path"),
        ({"category": "x"}, "version 1"),
        ({"category": {"id": 5}}, "5 is not a string"),
        ({"category": {"path": ["A", 5]}}, "5 is not a string"),
        ({"category": {"path": "abc"}}, "'abc', which is not a list"),
        ({"version": True}, "its version is not a number (version True)"),
        ({"right": "false"}, "right is 'false'"),
        ({"held_for_review": 1}, "held_for_review is 1"),
        ({"product": {"name": "tv", "price": True}}, "price is True"),
        ({"product": {"name": "\ud800"}}, "surrogates"),
        ({"received": "9999-12-31T23:59:59-12:00"}, "between the years 1 and 9999"),
    ],
)
def test_malformed_event_is_reported(store, content, why):
    """Anything may be stored among the events; a malformed object is reported with the reason."""
    content = content if isinstance(content, bytes) else VERSION_1 | content
    name = put(store, "c" * 64, content)
    events, (unusable,) = read_events(store)
    assert events == []
    assert unusable.id == "c" * 64
    assert name in unusable.why
    assert why in unusable.why
    assert Counter(store)().unusable == 1


@pytest.mark.parametrize("predicted", ["x", {}, [], 5, {"path": 5}, {"path": "abc"}, {"id": 5}])
def test_malformed_prediction_is_unknown(store, predicted):
    """An event with a malformed prediction still counts as a correction."""
    own = "e" * 64
    put(store, own, VERSION_1 | {"version": 2, "predicted": predicted})
    events, unusable = read_events(store)
    assert unusable == []
    assert [(read.id, read.predicted, read.disagrees) for read in events] == [(own, None, True)]


def test_disappeared_object_is_reported(store, monkeypatch):
    """An object that disappears between listing and reading is reported."""
    name = layout.feedback_event(NOON.date(), "d" * 64)
    monkeypatch.setattr(store, "list", lambda prefix: iter([name] * (prefix == "feedback/")))
    assert read_events(store) == (
        [],
        [Unusable("d" * 64, f"{name} cannot be read: it was deleted after it was listed.")],
    )


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"event": "e", "decision": "perhaps"}'])
def test_malformed_decision_is_named(store, data):
    """A malformed review decision is an error that names the object."""
    name = layout.review("e" * 64)
    store.put(name, data)
    with pytest.raises(DataError, match=name):
        read_events(store)


# Disagreement.

LAMPS, SOCKS = ("Home", "Lamps"), ("Sport", "Socks")


@pytest.mark.parametrize(
    ("category", "predicted", "disagrees"),
    [
        (NamedCategory("l"), NamedCategory("l"), False),
        (NamedCategory("l"), NamedCategory("s"), True),
        (NamedCategory("l", LAMPS), NamedCategory("l", SOCKS), False),
        (NamedCategory("l", LAMPS), NamedCategory("s", LAMPS), True),
        (NamedCategory(path=LAMPS), NamedCategory("l", LAMPS), False),
        (NamedCategory("l", LAMPS), NamedCategory(path=("home ", "LAMPS")), False),
        (NamedCategory(path=SOCKS), NamedCategory("l", LAMPS), True),
        (NamedCategory(path=LAMPS), NamedCategory(path=LAMPS[:1]), True),
        (NamedCategory(path=("Home", "++")), NamedCategory(path=("Home", "--")), True),
        (NamedCategory("l"), NamedCategory(path=LAMPS), True),
        (NamedCategory("l"), None, True),
    ],
)
def test_categories_are_compared_by_id_else_by_path(category, predicted, disagrees):
    """Categories are compared by id if both have one, else by path; otherwise they may disagree."""
    assert event(category=category, predicted=predicted).disagrees is disagrees


@pytest.mark.parametrize("category", [None, NamedCategory("l")])
def test_confirmation_agrees(category):
    """A confirmation agrees, whatever else it contains."""
    assert not event(right=True, category=category, predicted=NamedCategory("s")).disagrees


def test_a_lie_of_one_client_hides_no_other_correction(store):
    """A false claim about the prediction affects only that client's own event."""
    category = NamedCategory("l")
    lie = new_event(GOPRO, client="liar", now=NOON, category=category, predicted=category)
    honest = new_event(
        GOPRO, client="shop", now=NOON, category=category, predicted=NamedCategory("s")
    )
    assert all(record_feedback(store, sent).new for sent in (lie, honest))
    count = Counter(store)()
    assert (count.new, count.agreeing, count.corrections, count.right) == (1, 1, 1, 1)


# What the last training job has seen.


def test_processed_round_trip(store):
    """Processed feedback is read as a training job wrote it."""
    states = {"accepted": 1, "held": 2, "quarantined": 3}
    written = Processed("r1", NOON, "a test", "s1", frozenset({"a", "b"}), states)
    write_processed(store, written)
    assert read_processed(store) == written
    assert (written.held, written.quarantined) == (2, 3)


def test_earlier_format_of_processed_feedback_is_read(store):
    """The earlier format has only the counts of held and quarantined events."""
    old = {"run": "r0", "at": "2026-11-22T12:00:00", "events": ["a"], "held": 4, "quarantined": 5}
    store.put(layout.processed_feedback(), json.dumps(old).encode())
    processed = read_processed(store)
    assert (processed.at, processed.events) == (NOON, {"a"})
    assert (processed.held, processed.quarantined) == (4, 5)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"5", b'{"at": 5}', b'{"at": "now"}', b'{"events": 5}', b'{"states": 5}']
)
def test_malformed_processed_feedback_counts_as_none(store, data):
    """When the object is malformed, nothing counts as processed, and there is no report."""
    store.put(layout.processed_feedback(), data)
    assert read_processed(store) == Processed()
    assert last_report(store) == {}
