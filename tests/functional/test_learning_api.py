"""What the predict API answers about feedback, training, models and their reports."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aisle.errors import StoreError
from aisle.model import bundle
from aisle.registry.pointer import Pointer, write_pointer
from aisle.serving.predict.app import create_app
from aisle.store import FolderStore, layout, lease

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PACKAGED = bundle.read(bundle.PACKAGED).manifest.model_version


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def learning(store, classifier, checked_client):
    """Make a client of the predict API on that store."""
    return checked_client(create_app(lambda: classifier, store=lambda: store))


def write(store, key, data):
    """Write an object as JSON."""
    store.put(key, json.dumps(data).encode())


def audit(store, minute, event, version, previous=None):
    """Write an audit record of a minute after noon."""
    at = NOON + timedelta(minutes=minute)
    facts = {"event": event, "version": version, "previous": previous}
    more = {"at": at.isoformat(), "who": "me", "why": "a test", "run": "r1"}
    write(store, layout.audit_record(at, version), facts | more)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/feedback/stats", {"events": 0, "due": False, "last": None, "counted_at": None}),
        ("/v1/training", {"state": "idle", "run": None, "stages": [], "progress": 0.0}),
        ("/v1/models", {"current": PACKAGED, "history": []}),
    ],
)
def test_an_empty_store_is_no_error(learning, classifier, checked_client, path, expected):
    """Before the first training, and without a store, each route has an answer."""
    without = checked_client(create_app(lambda: classifier))
    for client in (learning, without):
        answer = client.get(path)
        assert answer.status_code == 200
        assert expected.items() <= answer.json().items()


def test_stats_are_what_was_counted(learning, store):
    """The feedback statistics are what the trigger has written, without its internals."""
    counted = {
        "counted_at": NOON.isoformat(),
        "events": 70,
        "right": 8,
        "corrections": 62,
        "new": 51,
        "needed": 50,
        "due": True,
        "why": "51 products were corrected.",
        "held": 2,
        "quarantined": 3,
        "unusable": 4,
        "last": {"at": NOON.isoformat(), "started": True, "why": "due", "run": "r1"},
    }
    write(store, layout.feedback_state(), counted | {"secret": 1})
    assert learning.get("/v1/feedback/stats").json() == counted


def test_training_is_followed(learning, store):
    """The training status is what the training job has written."""
    status = {
        "run": "r1",
        "state": "running",
        "stage": "fit",
        "stages": [
            {"name": "ingest", "state": "done", "seconds": 1.5},
            {"name": "fit", "state": "running", "seconds": None},
        ],
        "progress": 0.3,
        "started_at": NOON.isoformat(),
        "updated_at": NOON.isoformat(),
        "finished_at": None,
        "message": "It fits.",
        "version": None,
    }
    write(store, layout.training_status(), status)
    lease.take(store, "r1", "me", now=datetime.now(UTC))
    assert learning.get("/v1/training").json() == status


@pytest.mark.parametrize("state", ["published", "refused", "failed"])
def test_training_that_ended_is_told(learning, store, state):
    """The end of a job stays known, with its model."""
    ended = {"run": "r1", "state": state, "message": "So.", "version": "v1", "progress": 1.0}
    write(store, layout.training_status(), ended)
    assert ended.items() <= learning.get("/v1/training").json().items()


def test_training_that_died_is_not_running(learning, store):
    """A job whose status is running but whose lease has expired has failed."""
    write(store, layout.training_status(), {"run": "r1", "state": "running", "progress": 0.5})
    lease.take(store, "r1", "me", now=NOON - timedelta(days=9))
    training = learning.get("/v1/training").json()
    assert (training["run"], training["state"], training["progress"]) == ("r1", "failed", 0.5)


def test_training_that_was_only_started_is_running(learning, store):
    """Until the training process writes its first status, the lease tells of the job."""
    write(store, layout.training_status(), {"run": "r1", "state": "published", "version": "v1"})
    lease.take(store, "r2", "me", now=datetime.now(UTC))
    training = learning.get("/v1/training").json()
    assert (training["run"], training["state"], training["version"]) == ("r2", "running", None)


def test_models_have_their_states(learning, store):
    """Each model is listed once, with its state; the history is newest first."""
    audit(store, 0, "promoted", "v1")
    audit(store, 1, "refused", "v2", "v1")
    audit(store, 2, "promoted", "v3", "v1")
    audit(store, 3, "promoted", "v4", "v3")
    audit(store, 4, "rolled back", "v3", "v4")
    write_pointer(store, Pointer("v3", "", ""), replacing=None)
    facts = {"created_at": "2026-11-22T12:02:00+00:00", "classes": 3, "products": 40}
    write(store, layout.report_file("v3", "report.json"), facts | {"accuracy": 0.9})
    write(store, layout.report_file("v2", "report.json"), {"metrics": {"leaf": {"accuracy": 0.1}}})
    response = learning.get("/v1/models").json()
    assert response["current"] == "v3"
    assert {model["version"]: model["state"] for model in response["models"]} == {
        "v1": "published",
        "v2": "refused",
        "v3": "current",
        "v4": "rolled back from",
    }
    assert [model["version"] for model in response["models"]] == ["v4", "v3", "v2", "v1"]
    by_version = {model["version"]: model for model in response["models"]}
    assert facts.items() <= by_version["v3"].items()
    assert (by_version["v3"]["accuracy"], by_version["v2"]["accuracy"]) == (0.9, 0.1)
    assert by_version["v3"]["event"]["event"] == "rolled back"
    events = ["rolled back", "promoted", "promoted", "refused", "promoted"]
    assert [record["event"] for record in response["history"]] == events


def test_a_model_that_came_back_is_published(learning, store):
    """A model that was rolled back from and promoted again is published."""
    audit(store, 0, "promoted", "v1")
    audit(store, 1, "promoted", "v2", "v1")
    audit(store, 2, "rolled back", "v1", "v2")
    audit(store, 3, "promoted", "v2", "v1")
    audit(store, 4, "promoted", "v3", "v2")
    write_pointer(store, Pointer("v3", "", ""), replacing=None)
    states = {
        model["version"]: model["state"] for model in learning.get("/v1/models").json()["models"]
    }
    assert states == {"v1": "published", "v2": "published", "v3": "current"}


def test_history_is_the_last_hundred(learning, store):
    """A long history is cut, and each record is read only once."""
    for minute in range(105):
        audit(store, minute, "promoted", f"v{minute}")
    history = learning.get("/v1/models").json()["history"]
    assert [record["version"] for record in history] == [f"v{at}" for at in range(104, 4, -1)]
    read, get = [], store.get
    store.get = lambda key: read.append(key) or get(key)
    assert learning.get("/v1/models").json()["history"] == history
    assert [key for key in read if key.startswith(layout.audit_prefix())] == []


def test_report_is_the_one_that_was_written(learning, store):
    """A report is answered unchanged, whatever figures it has."""
    report = {"version": "v1", "metrics": {"rows": 3}, "gate": {"passed": True}, "drift": [1]}
    write(store, layout.report_file("v1", "report.json"), report)
    assert learning.get("/v1/models/v1/report").json() == report


@pytest.mark.parametrize("name", ["packaged", PACKAGED])
def test_report_of_the_packaged_model(learning, name):
    """The packaged model's report has its bundle's figures."""
    report = learning.get(f"/v1/models/{name}/report").json()
    assert report["version"] == PACKAGED
    assert 0 < report["metrics"]["leaf"]["accuracy"] < 1


def test_the_report_beside_the_packaged_model_is_its_own(learning):
    """The report beside the packaged bundle was measured on this model and its frozen test."""
    report = learning.get("/v1/models/packaged/report").json()
    assert report["metrics"] == bundle.read(bundle.PACKAGED).json(bundle.METRICS)["test"]
    assert sum(group["products"] for group in report["reliability"]) == report["metrics"]["rows"]
    assert report["categories"]
    assert report["coverage"]


@pytest.mark.parametrize("name", ["v9", "..", "current.json", "Ä", "x" * 300, "audit"])
def test_report_of_no_model(learning, name):
    """An unknown or malformed version is a 404 in the problem format."""
    answer = learning.get(f"/v1/models/{name}/report")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"state": "flying"}'])
def test_what_was_spoilt_is_a_503(learning, store, caplog, data):
    """A malformed object gives no stack trace; the log names it."""
    store.put(layout.training_status(), data)
    assert learning.get("/v1/training").status_code == 503
    assert layout.training_status() in caplog.text


def test_store_that_cannot_be_had(classifier, checked_client):
    """Where the store cannot be reached, the answer says to retry."""

    def store():
        raise StoreError("no bucket")

    client = checked_client(create_app(lambda: classifier, store=store))
    for path in ("/v1/feedback/stats", "/v1/training", "/v1/models", "/v1/models/v1/report"):
        assert client.get(path).status_code == 503
