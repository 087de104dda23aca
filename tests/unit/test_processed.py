"""What the last training run has seen of the feedback."""

import json
from datetime import UTC, datetime

import pytest

from aisle.feedback.processed import Processed, last_report, read_processed, write_processed
from aisle.store import FolderStore, layout

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_round_trip(store):
    """Processed feedback is read as a training run wrote it."""
    states = {"accepted": 1, "held": 2, "quarantined": 3}
    written = Processed("r1", NOON, "a test", "s1", frozenset({"a", "b"}), states)
    write_processed(store, written)
    assert read_processed(store) == written
    assert (written.held, written.quarantined) == (2, 3)


def test_earlier_format_is_read(store):
    """The earlier format has only the counts of held and quarantined events."""
    old = {"run": "r0", "at": "2026-11-22T12:00:00", "events": ["a"], "held": 4, "quarantined": 5}
    store.put(layout.processed_feedback(), json.dumps(old).encode())
    processed = read_processed(store)
    assert (processed.at, processed.events) == (NOON, {"a"})
    assert (processed.held, processed.quarantined) == (4, 5)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"5", b'{"at": 5}', b'{"at": "now"}', b'{"events": 5}', b'{"states": 5}']
)
def test_malformed_object_counts_as_none(store, data):
    """When the object is malformed, nothing counts as processed, and there is no report."""
    store.put(layout.processed_feedback(), data)
    assert read_processed(store) == Processed()
    assert last_report(store) == {}
