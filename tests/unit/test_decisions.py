"""What people decided of feedback events: written once each, read back by the event's id."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aisle.errors import DataError
from aisle.feedback.decisions import read_decisions, write_decision
from aisle.registry import audit
from aisle.store import FolderStore, layout

FIRST, SECOND = "a" * 64, "b" * 64


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_no_decisions(store):
    """In an empty store, nothing was decided."""
    assert read_decisions(store) == {}


def test_decisions_are_read_back(store):
    """Each event has the decision that was written of it."""
    write_decision(store, FIRST, "accepted", note=None)
    write_decision(store, SECOND, "rejected", note="a joke")
    assert read_decisions(store) == {FIRST: "accepted", SECOND: "rejected"}


def test_decision_has_who_when_and_why(store):
    """The object tells who decided, when (UTC, to the second), and the note."""
    before = datetime.now(UTC).replace(microsecond=0)
    write_decision(store, FIRST, "rejected", note="a joke")
    content = json.loads(store.get(layout.review(FIRST)).data)
    at = content.pop("at")
    assert content == {
        "event": FIRST,
        "decision": "rejected",
        "who": audit.user(),
        "note": "a joke",
    }
    moment = datetime.fromisoformat(at)
    assert (moment.utcoffset(), moment.microsecond) == (timedelta(0), 0)
    assert before <= moment <= datetime.now(UTC)


def test_first_decision_stays(store):
    """A second decision of the same event changes nothing, and is no error."""
    write_decision(store, FIRST, "accepted", note="good")
    before = store.get(layout.review(FIRST))
    write_decision(store, FIRST, "rejected", note="bad")
    assert store.get(layout.review(FIRST)) == before
    assert read_decisions(store) == {FIRST: "accepted"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"event": "e", "decision": "perhaps"}', "'perhaps'"),
        (b'{"event": "e"}', "KeyError"),
        (b'{"decision": "accepted"}', "KeyError"),
        (b"[]", "TypeError"),
        (b"{", "JSON|Expecting"),
    ],
)
def test_message_says_what_is_wrong_with_a_decision(store, data, why):
    """An object that is not a decision is an error that names it and says what is wrong."""
    write_decision(store, FIRST, "accepted", note=None)
    store.put(layout.review(SECOND), data)
    with pytest.raises(DataError, match=why) as refused:
        read_decisions(store)
    assert layout.review(SECOND) in str(refused.value)
