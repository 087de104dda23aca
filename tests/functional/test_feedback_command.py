"""`aisle feedback review`, and the `aisle model` commands that change the serving model."""

import json

import pytest
from typer.testing import CliRunner

from aisle.cli.main import app
from aisle.errors import DataError
from aisle.model import bundle
from aisle.registry import audit, bundles
from aisle.registry.audit import Occasion
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.store import FolderStore, layout
from tests.events_of import say, visitor

LAMPS = ("Home", "Lamps")


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def aisle(store):
    """Give the function that runs a command on the store, and returns what it prints."""

    def run(*arguments, code=0):
        done = CliRunner().invoke(app, ["--store", store.url, *arguments], catch_exceptions=True)
        if code is None:
            raise done.exception
        assert done.exit_code == code, done.output
        return done.output

    return run


def decisions(store):
    """Return the decisions, by event."""
    reviews = [json.loads(store.get(key).data) for key in store.list(layout.reviews_prefix())]
    return {review["event"]: review["decision"] for review in reviews}


def test_nothing_waits(aisle, store):
    """An empty store says so, and so does one with feedback of known clients."""
    assert "No feedback waits" in aisle("feedback", "review", "list")
    say(store, "Red Lamp", LAMPS)
    assert json.loads(aisle("feedback", "review", "list", "--json")) == []


def test_waiting_feedback_is_listed(aisle, store):
    """A visitor's feedback is listed with its product before any training job."""
    own = visitor(store, "Red Lamp [bold]\x1b[31m", LAMPS, note="I have one")
    (event,) = json.loads(aisle("feedback", "review", "list", "--json"))
    assert (event["id"], event["state"], event["note"]) == (own, "held", "I have one")
    assert event["category"] == "Home > Lamps"
    shown = aisle("feedback", "review", "list")
    assert own[:12] in shown
    assert "\x1b[31m" not in shown


def test_quarantined_feedback_is_listed_with_why(aisle, store):
    """Feedback that the last ingestion quarantined is listed with the reason."""
    own, fine = say(store, "Red Lamp", LAMPS), say(store, "Blue Lamp", LAMPS, at=1)
    events = [
        {"id": own, "state": "quarantined", "why": "it looks wrong", "category": "Home > Lamps"},
        {"id": fine, "state": "accepted", "why": ""},
    ]
    store.put("datasets/base/s1/feedback.json", json.dumps({"events": events}).encode())
    store.put(layout.processed_feedback(), b'{"snapshot": "s1"}')
    (event,) = json.loads(aisle("feedback", "review", "list", "--json"))
    assert (event["id"], event["state"], event["why"]) == (own, "quarantined", "it looks wrong")


@pytest.mark.parametrize(("command", "decision"), [("accept", "accepted"), ("reject", "rejected")])
def test_decision_by_the_beginning_of_an_id(aisle, store, command, decision):
    """The start of an id names the event to decide; the other event still waits."""
    own, other = visitor(store, "Red Lamp", LAMPS), visitor(store, "Blue Lamp", LAMPS)
    assert f"1 event {decision}" in aisle("feedback", "review", command, own[:12])
    assert decisions(store) == {own: decision}
    (left,) = json.loads(aisle("feedback", "review", "list", "--json"))
    assert left["id"] == other


def test_all_that_wait_are_decided(aisle, store):
    """--all decides the events that wait, and no others."""
    ids = {visitor(store, f"Lamp {at}", LAMPS) for at in range(3)}
    say(store, "Red Lamp", LAMPS)
    result = json.loads(aisle("feedback", "review", "accept", "--all", "--json", "--note", "seen"))
    assert set(result["events"]) == ids == set(decisions(store))


def test_decision_stays(aisle, store):
    """A decision cannot be changed; the same decision again is no error."""
    own = visitor(store, "Red Lamp", LAMPS)
    aisle("feedback", "review", "reject", own)
    aisle("feedback", "review", "reject", own)
    with pytest.raises(DataError, match="was rejected before"):
        aisle("feedback", "review", "accept", own, code=None)
    assert decisions(store) == {own: "rejected"}


@pytest.mark.parametrize("start", ["0" * 12, "abc"])
def test_unknown_id_decides_nothing(aisle, store, start):
    """An unknown or too short id is an error, and no decision is stored."""
    own = visitor(store, "Red Lamp", LAMPS)
    with pytest.raises(DataError, match="begins with"):
        aisle("feedback", "review", "accept", own, start, code=None)
    assert decisions(store) == {}


@pytest.mark.parametrize("arguments", [[], ["0123456789ab", "--all"]])
def test_ids_or_all(aisle, arguments):
    """Neither ids nor --all, or both, is a usage error."""
    assert "one of the two" in aisle("feedback", "review", "accept", *arguments, code=2)


@pytest.mark.parametrize("option", ["--test-data", "--columns", "--mapping", "--separator"])
def test_options_of_a_catalogue_do_not_go_with_feedback(aisle, store, option):
    """`train --feedback` refuses options about reading a catalogue, and starts nothing."""
    assert "--feedback takes" in aisle("train", "--feedback", option, "x=y", code=2)
    assert list(store.list("")) == []


# Models.


@pytest.fixture
def stored(store):
    """Store the packaged model as one that passed the gate; give its version."""
    packaged = bundle.read(bundle.PACKAGED)
    version = packaged.manifest.model_version
    bundles.upload_bundle(store, packaged)
    facts = {"state": "published", "accuracy": 0.8, "created_at": "2026-11-22T12:00:00+00:00"}
    store.put(layout.report_file(version, "report.json"), json.dumps(facts).encode())
    return version


def test_models_are_listed(aisle, store, stored):
    """The list has version, state and accuracy; a bundle without a record is `stored`."""
    write_pointer(store, Pointer("v1", "", ""), replacing=None)
    assert stored in aisle("model", "list")
    models = json.loads(aisle("model", "list", "--json"))
    assert {model["version"]: model["state"] for model in models} == {
        stored: "stored",
        "v1": "current",
    }


def test_no_models(aisle):
    """An empty store serves the packaged model, and the list shows it."""
    assert "packaged one serves" in aisle("model", "list")
    (model,) = json.loads(aisle("model", "list", "--json"))
    version = bundle.read(bundle.PACKAGED).manifest.model_version
    assert (model["version"], model["state"]) == (version, "current")
    assert 0 < model["accuracy"] < 1


def test_model_is_promoted_with_a_reason(aisle, store, stored):
    """Promotion makes the model serve, and the reason is on record."""
    assert "instead of the packaged one" in aisle("model", "promote", stored, "--why", "a test")
    assert read_pointer(store)[0].version == stored
    assert [(record.event, record.why) for record in audit.history(store)] == [
        ("promoted", "a test")
    ]


def test_model_is_rolled_back(aisle, store, stored):
    """Rollback names both versions; here the audit record gives the bad one's predecessor."""
    aisle("model", "promote", stored)
    pointer, etag = read_pointer(store)
    write_pointer(store, Pointer("bad", "t", pointer.published_at), replacing=etag)
    audit.write(store, "promoted", "bad", Occasion("me", "oops"), previous=stored)
    output = aisle("model", "rollback", "--why", "it is bad")
    assert f"Model {stored} serves again, instead of bad." in output
    assert read_pointer(store)[0].version == stored


def test_models_are_compared(aisle, stored):
    """A model compared with itself shows no difference."""
    comparison = json.loads(aisle("model", "compare", stored, stored, "--json"))
    assert comparison["same_test"] is True
    assert "+0.0000" in aisle("model", "compare", stored, stored)
