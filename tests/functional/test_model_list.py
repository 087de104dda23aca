"""The command and the API list the same models, for every store."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from aisle.cli.main import app
from aisle.errors import MalformedObjectError
from aisle.model import bundle
from aisle.registry import audit, bundles
from aisle.registry.audit import Occasion
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.registry.reports import packaged_version
from aisle.registry.switch import promote
from aisle.serving.predict.app import create_app
from aisle.store import FolderStore, layout

ME = Occasion("me", "a test")


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def aisle(store):
    """Give the function that runs a command on the store, which must not fail."""

    def run(*arguments):
        result = CliRunner().invoke(app, ["--store", store.url, *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def listed(store, aisle, classifier, checked_client):
    """Give the function that asks both for all models' states, which must agree."""

    def ask():
        client = checked_client(create_app(lambda: classifier, store=lambda: store))
        api = client.get("/v1/models").json()["models"]
        command = json.loads(aisle("model", "list", "--json"))
        unknown = {"stored"}  # the API lists only what a record tells of
        assert [model for model in command if model["state"] not in unknown] == api
        return {model["version"]: model["state"] for model in command}

    return ask


def keep(store, name, state="published"):
    """Store a copy of the packaged model under a version of its own; return the version."""
    packaged = bundle.read(bundle.PACKAGED)
    facts = {
        field: getattr(packaged.manifest, field)
        for field in ("features", "documents", "answer_thresholds", "outside", "libraries")
    }
    dataset = packaged.manifest.dataset | {"snapshot": name}
    made = bundle.assemble(packaged.files, **facts, dataset=dataset)
    bundles.upload_bundle(store, made)
    version = made.manifest.model_version
    report = {"state": state, "metrics": {"leaf": {"accuracy": 0.5}}, "classes": 3}
    store.put(layout.report_file(version, "report.json"), json.dumps(report).encode())
    return version


def test_after_a_rollback_both_say_so(store, aisle, listed, made_up_store):
    """A trained model, one promoted after it and rolled back from, one refused, one unrecorded."""
    for key in made_up_store.list("models/"):
        store.put(key, made_up_store.get(key).data)
    trained = read_pointer(store)[0].version
    second, refused, unknown = keep(store, "2"), keep(store, "3", "refused"), keep(store, "4")
    audit.write(store, "refused", refused, Occasion("me", "a test"), previous=trained)
    aisle("model", "promote", second)
    aisle("model", "rollback")
    assert listed() == {
        trained: "current",
        second: "rolled back from",
        refused: "refused",
        unknown: "stored",
    }
    aisle("model", "promote", second)
    assert listed()[second] == "current"
    assert listed()[trained] == "published"


def test_back_to_the_packaged_model(store, aisle, listed):
    """The packaged model is listed where it serves: before the first publication, and later."""
    assert listed() == {packaged_version(): "current"}
    first = keep(store, "1")
    aisle("model", "promote", first)
    assert listed() == {first: "current"}
    aisle("model", "rollback")
    assert listed() == {packaged_version(): "current", first: "rolled back from"}


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"accuracy": "good"}', b'{"metrics": 5}'])
def test_a_spoilt_report_spoils_no_list(store, aisle, listed, data):
    """An unusable report leaves a model without figures; the list stays complete."""
    first = keep(store, "1")
    aisle("model", "promote", first)
    store.put(layout.report_file(first, "report.json"), data)
    assert listed() == {first: "current"}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"at": "now", "event": "sold", "version": "v1"}']
)
def test_a_spoilt_record_is_named(store, classifier, checked_client, caplog, data):
    """A malformed record is an error that names it; the API answers 503 and logs the cause."""
    key = "models/audit/20261122T120000.000000Z-v1.json"
    store.put(key, data)
    client = checked_client(create_app(lambda: classifier, store=lambda: store))
    assert client.get("/v1/models").status_code == 503
    assert key in caplog.text
    result = CliRunner().invoke(app, ["--store", store.url, "model", "list"])
    assert isinstance(result.exception, MalformedObjectError)
    assert key in str(result.exception)


def test_long_history_hides_no_model(store, listed):
    """A model's state does not depend on how many records came later."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for minute in range(120):
        event = "promoted" if minute < 2 else "refused"
        facts = {"event": event, "version": f"v{minute}", "previous": None}
        facts |= {"at": (at + timedelta(minutes=minute)).isoformat(), "who": "me", "why": "a test"}
        key = layout.audit_record(at + timedelta(minutes=minute), f"v{minute}")
        store.put(key, json.dumps(facts | {"run": None}).encode())
    write_pointer(store, Pointer("v1", "", ""), replacing=None)
    states = listed()
    assert (states["v0"], states["v1"], states["v119"]) == ("published", "current", "refused")
    assert len(states) == 120


def test_refusal_after_service_changes_nothing(store, listed):
    """A model that has served stays published when the same version is refused later."""
    first, second = keep(store, "one"), keep(store, "two")
    promote(store, first, ME)
    promote(store, second, ME)
    audit.write(store, "refused", first, ME, previous=second)
    assert listed() == {first: "published", second: "current"}
