"""What the last training has seen of the feedback, and what became of each event."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aisle.errors import MalformedObjectError
from aisle.feedback.processed import (
    REPORT,
    Ingested,
    IngestReport,
    Processed,
    last_report,
    read_processed,
    read_report,
    write_processed,
)
from aisle.store import FolderStore, layout

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_stored_object_is_as_older_versions_read_it(store):
    """Beside the states, those that wait are kept by name; times are to the second."""
    at = NOON + timedelta(microseconds=5)
    states = {"held": 2, "quarantined": 3, "accepted": 1}
    write_processed(store, Processed("r1", at, "a test", "s1", frozenset({"b", "a"}), states))
    assert json.loads(store.get(layout.processed_feedback()).data) == {
        "run": "r1",
        "at": "2026-11-22T12:00:00+00:00",
        "why": "a test",
        "snapshot": "s1",
        "events": ["a", "b"],
        "held": 2,
        "quarantined": 3,
        "states": states,
    }


def test_training_without_a_time_or_events_is_read_back(store):
    """What says nothing but its run and snapshot is read back as that."""
    written = Processed("r1", snapshot="s1")
    write_processed(store, written)
    found = read_processed(store)
    assert found == Processed("r1", snapshot="s1", states={"held": 0, "quarantined": 0})
    assert (found.held, found.quarantined) == (0, 0)


def test_states_go_before_the_older_counts(store):
    """Where both say how many wait, the states count."""
    content = {"held": 9, "quarantined": 9, "states": {"held": 1, "quarantined": 2}}
    store.put(layout.processed_feedback(), json.dumps(content).encode())
    assert (read_processed(store).held, read_processed(store).quarantined) == (1, 2)


@pytest.mark.parametrize(
    "content",
    [{"states": {"held": -1}}, {"held": -1}, {"snapshot": 5}, {"why": None}, {"events": ["a", 5]}],
)
def test_nonsense_counts_as_no_training(store, content):
    """What has one field that is nonsense says nothing at all."""
    store.put(layout.processed_feedback(), json.dumps({"run": "r1"} | content).encode())
    assert read_processed(store) == Processed()


def put_report(store, content):
    """Keep a report of the snapshot s1."""
    store.put(layout.base_snapshot("s1", REPORT), json.dumps(content).encode())


LAMP = {"id": "a", "state": "learnt", "why": "by its client", "category": "lamps"}
SOCK = {"id": "b", "state": "held"}


def test_report_tells_what_became_of_each_event(store):
    """The last training's report is read by the ids of the events."""
    put_report(store, {"events": [LAMP, SOCK], "agreeing": ["a"]})
    write_processed(store, Processed("r1", NOON, snapshot="s1"))
    lamp, sock = Ingested("a", "learnt", "by its client", "lamps"), Ingested("b", "held")
    assert last_report(store) == {"a": lamp, "b": sock}
    assert read_report(store, "s1") == IngestReport((lamp, sock), frozenset({"a"}))


def test_training_without_a_snapshot_has_no_report(store):
    """Only a snapshot that the last training names has a report."""
    put_report(store, {"events": [LAMP]})
    write_processed(store, Processed("r1", NOON))
    assert last_report(store) == {}


def test_report_that_is_not_there_is_empty(store):
    """A snapshot that was made without feedback has no report: nothing became of anything."""
    write_processed(store, Processed("r1", NOON, snapshot="s1"))
    assert read_report(store, "s1") == IngestReport()
    assert last_report(store) == {}


@pytest.mark.parametrize("content", [5, {"events": [{"id": "a"}]}, {"agreeing": 5}])
def test_malformed_report_is_named(store, content):
    """A report that is nonsense is an error that names it."""
    put_report(store, content)
    with pytest.raises(MalformedObjectError, match=layout.base_snapshot("s1", REPORT)):
        read_report(store, "s1")
