"""Whatever is damaged in a store, nobody sees a stack trace: it is reported, or tolerated."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from typer.main import get_command

from aisle.access import api_keys
from aisle.cli.main import app
from aisle.errors import AisleError
from aisle.serving.learning.records import LearningRecords
from aisle.serving.predict.app import create_app
from aisle.store import FolderStore, layout
from tests.events_of import NOON, VERSION_1

EVENT = "a" * 64
TIME = NOON.isoformat()
_, KEY = api_keys.new_key(
    "shop", ["predict"], now=datetime(2026, 11, 22, tzinfo=UTC), lifetime=timedelta(days=1)
)
OBJECTS = {
    layout.current_model(): {"version": "v1", "test_sha256": "0", "published_at": TIME},
    layout.training_lock(): {"holder": "me", "run": "r1", "taken_at": TIME, "expires_at": TIME},
    layout.training_status(): {
        "run": "r1",
        "state": "failed",
        "stages": [{"name": "fit", "state": "done", "seconds": 1.5}],
        "progress": 0.5,
        "started_at": TIME,
        "finished_at": TIME,
    },
    layout.processed_feedback(): {
        "run": "r1",
        "at": TIME,
        "why": "a test",
        "snapshot": "s1",
        "events": [],
        "states": {"held": 1},
    },
    layout.base_snapshot("s1", "feedback.json"): {
        "events": [{"id": EVENT, "state": "held", "why": "it looks wrong", "category": "Lamps"}],
        "agreeing": [],
    },
    layout.feedback_state(): {"counted_at": TIME, "events": 1, "held": 1, "last": None},
    layout.feedback_event(NOON.date(), EVENT): VERSION_1,
    layout.review("b" * 64): {"event": "b" * 64, "decision": "accepted"},
    layout.report_file("v1", "report.json"): {
        "created_at": TIME,
        "accuracy": 0.9,
        "classes": 3,
        "products": 40,
        "checks": [],
    },
    layout.audit_record(NOON, "v1"): {"at": TIME, "event": "promoted", "version": "v1"},
    layout.api_keys(): [KEY.to_json()],
}
DAMAGED = [
    b"[" * 100_000,
    b"",
    b"\xff",
    b"null",
    b"NaN",
    b"[]",
    b"[[]]",
    b'"x"',
    b"1" * 5_000,
]
"""What may stand in place of a whole object: too deep, no UTF-8, no JSON, another type."""
VALUES = [None, True, -1, 10**400, float("nan"), "\ud800", {"held": -1}, [{}]]
"""What may stand in place of one field: a value of each kind that a check may forget."""
TIMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59+00:00"]
"""What may stand in place of a time as well: moments that UTC or a time zone cannot express."""
MODELS, ROLLBACK, DUE = "model list", "model rollback", "retrain --dry-run"
REVIEWS, KEYS = "feedback review list", "keys list"
READERS = {
    layout.current_model(): [MODELS, ROLLBACK, DUE, "/v1/models"],
    layout.training_lock(): [DUE, "/v1/training"],
    layout.training_status(): [DUE, "/v1/training"],
    layout.processed_feedback(): [DUE, REVIEWS],
    layout.base_snapshot("s1", "feedback.json"): [REVIEWS],
    layout.feedback_state(): ["/v1/feedback/stats"],
    layout.feedback_event(NOON.date(), EVENT): [DUE, REVIEWS],
    layout.review("b" * 64): [REVIEWS],
    layout.report_file("v1", "report.json"): [MODELS, "/v1/models", "/v1/models/v1/report"],
    layout.audit_record(NOON, "v1"): [MODELS, ROLLBACK, "/v1/models"],
    layout.api_keys(): [KEYS],
}
"""The commands and the routes that read each object."""


@pytest.fixture
def store(tmp_path):
    """Give a store in which every kind of object is intact."""
    intact = FolderStore(tmp_path / "store")
    for key, content in OBJECTS.items():
        intact.put(key, json.dumps(content).encode())
    return intact


@pytest.fixture
def ask(store, classifier, checked_client):
    """Give the function that runs a command or asks a route, and returns the text that comes."""
    main = get_command(app)
    api = create_app(lambda: classifier, store=lambda: store)
    client = checked_client(api)

    def run(command):
        arguments, output = ["--store", store.url, *command.split()], io.StringIO()
        with redirect_stdout(output), redirect_stderr(output):
            try:
                code = main.main(arguments, standalone_mode=False)
            except AisleError as error:  # for users: exit code 2, and this text
                return str(error)
        assert not code
        return output.getvalue()

    def get(route):
        api.state.records = LearningRecords(lambda: store)  # which caches what should never change
        response = client.get(route)
        assert response.status_code in {200, 503}, response.text
        if response.status_code == 503:
            assert response.headers["content-type"] == "application/problem+json"
        json.loads(response.content, parse_constant=pytest.fail)
        return response.text

    return lambda reader: get(reader) if reader.startswith("/") else run(reader)


def damaged(content):
    """Yield the bytes that an object may have after some damage."""
    data = json.dumps(content).encode()
    yield data[: len(data) // 2]
    yield from DAMAGED
    for part, rebuild in parts(content):
        for name in part:
            yield json.dumps(rebuild({key: part[key] for key in part if key != name})).encode()
            for value in [*VALUES, *(TIMES if is_time(part[name]) else [])]:
                yield json.dumps(rebuild(part | {name: value})).encode()


def is_time(value):
    """Tell whether a field's value is a time."""
    return isinstance(value, str) and value[:4] == str(NOON.year)


def parts(content):
    """Return the objects in an object, each with the function that replaces it."""
    if isinstance(content, list):
        return [(content[0], lambda part: [part])]
    nested = [
        (value[0], lambda part, name=name: content | {name: [part]})
        for name, value in content.items()
        if isinstance(value, list) and value
    ]
    return [(content, lambda part: part), *nested]


def test_an_intact_store_gives_no_error(ask):
    """The objects that are damaged below are good as they are here."""
    texts = "\n".join(ask(reader) for reader in {*chain(*READERS.values())})
    assert "cannot be used" not in texts
    assert "malformed" not in texts


@pytest.mark.parametrize("key", OBJECTS)
def test_a_damaged_object_is_no_stack_trace(store, ask, key):
    """One object of each kind, damaged in many ways, as a whole and field by field."""
    for data in damaged(OBJECTS[key]):
        (store.folder / key).write_bytes(data)
        try:
            for reader in READERS[key]:
                ask(reader)
        except BaseException as error:
            error.add_note(f"{key} was {data[:300]!r}")
            raise
