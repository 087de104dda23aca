"""A run as others see it, and what it keeps for when it is killed."""

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


def told(store):
    """Return what others see."""
    return json.loads(store.get(layout.training_status()).data)


def test_progress_is_told(store):
    """While it runs, a run tells its stage, what is done, and how far it is."""
    run = TrainingJob.start(store, {"a": 1}, run="r1")
    run.begin("ingest")
    assert (told(store)["state"], told(store)["stage"], told(store)["progress"]) == (
        "running",
        "ingest",
        0,
    )
    run.done("ingest", "snapshot", 1.234)
    run.begin("prepare")
    found = told(store)
    assert [one["state"] for one in found["stages"]] == ["done", "running"] + ["waiting"] * 5
    assert found["stages"][0] == {"name": "ingest", "state": "done", "seconds": 1.23}
    assert found["progress"] == STAGES["ingest"]
    assert found["finished_at"] is None


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
def test_end_is_told(store, error, state, message):
    """However it ends, the state says so; an error that nobody meant is only named."""
    run = TrainingJob.start(store, {}, run="r1")
    run.done("gate", {"version": "v1", "passed": True}, 1)
    with suppress(BaseException), run.working():
        if error is not None:
            raise error
    found = told(store)
    assert (found["state"], found["run"]) == (state, "r1")
    assert message in found["message"]
    assert "secret" not in found["message"]
    assert found["finished_at"] is not None


def test_stages_add_up():
    """All stages together are the whole."""
    assert sum(STAGES.values()) == pytest.approx(1)


def test_killed_run_is_continued_by_its_id(store):
    """A run that is started again under its id knows what it has done."""
    TrainingJob.start(store, {"a": (1, 2)}, run="r1").done("ingest", "snapshot", 1)
    assert TrainingJob.start(store, {"a": (1, 2)}, run="r1").result("ingest") == "snapshot"


def test_killed_run_is_continued_by_the_next(store):
    """A run that never ended is continued by the next that is asked for the same."""
    first = TrainingJob.start(store, {"a": 1}, run="r1")
    first.begin("ingest")
    first.done("ingest", "snapshot", 1)
    second = TrainingJob.start(store, {"a": 1}, run="r2")
    assert (second.id, second.result("ingest")) == ("r2", "snapshot")
    assert TrainingJob.start(store, {"a": 2}, run="r2").result("ingest") is None


@pytest.mark.parametrize("error", [PublicationRefusedError("no"), DataError("no"), None])
def test_run_that_ended_is_not_continued(store, error):
    """After a run that came to its end, whichever, the next begins at the beginning."""
    run = TrainingJob.start(store, {"a": 1}, run="r1")
    run.begin("ingest")
    run.done("ingest", "snapshot", 1)
    with suppress(PublicationRefusedError, DataError), run.working():
        if error:
            raise error
    assert TrainingJob.start(store, {"a": 1}).result("ingest") is None


def test_runs_have_ids_of_their_own(store):
    """Without an id, each run gets another."""
    assert TrainingJob.start(store, {}).id != TrainingJob.start(store, {}).id


def test_forgotten_stage_is_done_again(store):
    """A stage that was forgotten has no result."""
    run = TrainingJob.start(store, {}, run="r1")
    run.done("gate", {"version": "v1"}, 1)
    run.forget("gate")
    assert run.result("gate") is None
