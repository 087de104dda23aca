"""A training job as others see it, and what it saves so that it can resume."""

import json
from contextlib import suppress

import pytest

from aisle.errors import DataError, PublicationRefusedError
from aisle.store import FolderStore, layout
from aisle_training.job import STAGES, TrainingJob


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def stored(store):
    """Return the stored status."""
    return json.loads(store.get(layout.training_status()).data)


def test_progress_is_reported(store):
    """A running job reports its stage, the finished stages, and its progress."""
    job = TrainingJob.start(store, {"a": 1}, run="r1")
    job.begin("ingest")
    assert (stored(store)["state"], stored(store)["stage"], stored(store)["progress"]) == (
        "running",
        "ingest",
        0,
    )
    job.done("ingest", "snapshot", 1.234)
    job.begin("prepare")
    job.done("prepare", "prepared", 5.678)
    job.begin("fit")
    status = stored(store)
    states = [stage["state"] for stage in status["stages"]]
    assert states == ["done", "done", "running"] + ["waiting"] * 4
    assert status["stages"][0] == {"name": "ingest", "state": "done", "seconds": 1.23}
    assert status["stages"][1] == {"name": "prepare", "state": "done", "seconds": 5.68}
    assert status["progress"] == pytest.approx(STAGES["ingest"] + STAGES["prepare"])
    assert status["finished_at"] is None


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (None, "published", "serves"),
        (PublicationRefusedError("It was worse."), "refused", "worse"),
        (DataError("No such file."), "failed", "No such file"),
        (KeyError("secret"), "failed", "KeyError"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
    ],
)
def test_end_is_reported(store, error, state, message):
    """However a job ends, the status says so; an unexpected error is only named."""
    job = TrainingJob.start(store, {}, run="r1")
    job.done("gate", {"version": "v1", "passed": True}, 1)
    with suppress(BaseException), job.working():
        if error is not None:
            raise error
    status = stored(store)
    assert (status["state"], status["run"]) == (state, "r1")
    assert message in status["message"]
    assert "secret" not in status["message"]
    assert status["finished_at"] is not None


def test_stages_add_up():
    """The shares of all stages add up to 1."""
    assert sum(STAGES.values()) == pytest.approx(1)


def test_killed_job_resumes_by_its_id(store):
    """A job that is started again under its id has the results of its finished stages."""
    TrainingJob.start(store, {"a": (1, 2)}, run="r1").done("ingest", "snapshot", 1)
    assert TrainingJob.start(store, {"a": (1, 2)}, run="r1").result("ingest") == "snapshot"


def test_next_job_resumes_a_killed_one(store):
    """The next job with the same parameters resumes a job that never ended."""
    first = TrainingJob.start(store, {"a": 1}, run="r1")
    first.begin("ingest")
    first.done("ingest", "snapshot", 1)
    second = TrainingJob.start(store, {"a": 1}, run="r2")
    assert (second.id, second.result("ingest")) == ("r2", "snapshot")
    assert TrainingJob.start(store, {"a": 2}, run="r2").result("ingest") is None


@pytest.mark.parametrize("error", [PublicationRefusedError("no"), DataError("no"), None])
def test_ended_job_is_not_resumed(store, error):
    """A job that ended, in whatever way, is not resumed."""
    job = TrainingJob.start(store, {"a": 1}, run="r1")
    job.begin("ingest")
    job.done("ingest", "snapshot", 1)
    with suppress(PublicationRefusedError, DataError), job.working():
        if error:
            raise error
    assert TrainingJob.start(store, {"a": 1}).result("ingest") is None


def test_jobs_have_their_own_ids(store):
    """Without an id, each job gets its own."""
    assert TrainingJob.start(store, {}).id != TrainingJob.start(store, {}).id


def test_forgotten_stage_is_repeated(store):
    """A forgotten stage has no result."""
    job = TrainingJob.start(store, {}, run="r1")
    job.done("gate", {"version": "v1"}, 1)
    job.forget("gate")
    assert job.result("gate") is None
