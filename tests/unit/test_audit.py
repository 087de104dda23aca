"""The audit records: who decided what about which model, and why."""

import pytest

from aisle.errors import MalformedObjectError
from aisle.registry import audit
from aisle.registry.audit import Occasion
from aisle.store import FolderStore


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_record_round_trip(store):
    """A record is read as it was written, by its key and in the history."""
    occasion = Occasion("somebody", "a test", "r1")
    key = audit.write(store, "promoted", "v2", occasion, previous="v1")
    (entry,) = audit.history(store)
    assert audit.read(store, key) == entry
    assert (entry.event, entry.version, entry.previous) == ("promoted", "v2", "v1")
    assert (entry.who, entry.why, entry.run) == ("somebody", "a test", "r1")
    assert entry.at.endswith("+00:00")


def test_repeated_run_finds_its_record(store):
    """A restarted run writes no second record; another run does."""
    run = Occasion("somebody", "a test", "r1")
    key = audit.write(store, "refused", "v1", run, previous=None)
    other = audit.write(store, "refused", "v1", Occasion("x", "a test", "r2"), previous=None)
    assert other != key
    assert audit.write(store, "refused", "v1", run, previous=None) == key
    assert [entry.run for entry in audit.history(store)] == ["r1", "r2"]


def test_interrupted_promotion_finds_its_record(store):
    """A promotion repeated after an interruption writes no second record, whoever repeats it."""
    first = audit.write(store, "promoted", "v2", Occasion("killed", "a test"), previous="v1")
    again = audit.write(store, "promoted", "v2", Occasion("other", "a test"), previous="v1")
    assert again == first
    assert [entry.who for entry in audit.history(store)] == ["killed"]


def test_later_promotion_is_a_record_of_its_own(store):
    """The same promotion after another event is recorded again."""
    me = Occasion("me", "a test")
    audit.write(store, "promoted", "v2", me, previous="v1")
    audit.write(store, "rolled back", "v1", me, previous="v2")
    audit.write(store, "promoted", "v2", me, previous="v1")
    events = [entry.event for entry in audit.history(store)]
    assert events == ["promoted", "rolled back", "promoted"]


def test_malformed_record_is_named(store):
    """A malformed record is an error that names the object."""
    key = audit.write(store, "refused", "v1", Occasion("me", "a test"), previous=None)
    store.put(key, b"{")
    with pytest.raises(MalformedObjectError, match=key):
        audit.history(store)
