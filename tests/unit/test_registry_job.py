"""The status of the latest training job, by its own report and by its lease."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aisle.errors import MalformedObjectError
from aisle.registry.job import JobStage, JobStatus, current_status, read_status, write_status
from aisle.store import FolderStore, layout, lease

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AFTER = NOON + lease.RUNNING


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_status_round_trip(store):
    """A status is read as it was written, and is plain JSON in the store."""
    assert read_status(store) == JobStatus()
    status = JobStatus("r1", "running", "fit", (JobStage("fit", "running", 1.5),), 0.5)
    write_status(store, status)
    assert read_status(store) == status
    assert json.loads(store.get("models/training.json").data)["stages"][0]["name"] == "fit"


def test_status_of_an_earlier_version_is_read(store):
    """A status of an earlier version is read; unknown fields are ignored."""
    stored = {
        "finished_at": "2026-11-22T12:00:00+00:00",
        "message": "The model serves.",
        "progress": 1.0,
        "run": "20261122-115900-3f9c1d",
        "stage": None,
        "stages": [{"name": "ingest", "seconds": 0.41, "state": "done"}],
        "started_at": "2026-11-22T11:59:00+00:00",
        "state": "published",
        "updated_at": "2026-11-22T12:00:00+00:00",
        "version": "9df382fecf80",
        "added_later": 1,
    }
    store.put(layout.training_status(), json.dumps(stored).encode())
    status = read_status(store)
    assert (status.state, status.version) == ("published", "9df382fecf80")
    assert status.stages == (JobStage("ingest", "done", 0.41),)


@pytest.mark.parametrize(
    ("holder", "now", "besides", "expected"),
    [
        ("r1", NOON, None, ("r1", "running", False)),
        ("r1", AFTER, None, ("r1", "failed", True)),
        (None, NOON, None, ("r1", "failed", True)),
        ("r2", NOON, None, ("r2", "running", False)),
        ("r2", NOON, "r2", ("r1", "failed", True)),
    ],
    ids=["holds the lease", "lease expired", "no lease", "another started", "the other asks"],
)
def test_a_job_lives_as_long_as_its_lease(store, *, holder, now, besides, expected):
    """A "running" job without a lease was interrupted; a lease names the next job."""
    write_status(store, JobStatus("r1", "running"))
    if holder:
        lease.take(store, holder, "me", now=NOON, lasting=lease.RUNNING)
    status = current_status(store, now=now, besides=besides)
    assert (status.run, status.state, status.interrupted) == expected


def test_a_job_that_failed_was_not_interrupted(store):
    """A job that reported its failure was not interrupted."""
    write_status(store, JobStatus("r1", "failed", finished_at=NOON.isoformat()))
    status = current_status(store, now=NOON + timedelta(days=1))
    assert (status.state, status.interrupted) == ("failed", False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"state": "flying"}',
        b'{"progress": 2}',
        b'{"stages": [{"name": "fit"}]}',
        b'{"run": 5}',
    ],
)
def test_malformed_status_is_named(store, data):
    """A malformed status is an error that names the object."""
    store.put(layout.training_status(), data)
    with pytest.raises(MalformedObjectError, match=r"models/training\.json cannot be used"):
        read_status(store)
