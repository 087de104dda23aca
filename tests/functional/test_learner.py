"""What makes `aisle serve` learn, with a process that only pretends to train."""

import json
import os
import signal
import sys
from datetime import UTC, datetime

import pytest

from aisle.cli.use.learner import Learner, training_command
from aisle.feedback.due import Policy
from aisle.model import bundle
from aisle.registry import bundles
from aisle.registry.pointer import Pointer, write_pointer
from aisle.serving.predict.live import LiveModel
from aisle.store import FolderStore, layout, lease
from tests.commands import Server
from tests.events_of import corrections
from tests.waiting import wait_until

PACKAGED = bundle.read(bundle.PACKAGED).manifest.model_version
PUBLISH = """
import sys
from pathlib import Path
from aisle.registry.pointer import Pointer, write_pointer
from aisle.store import FolderStore
write_pointer(FolderStore(Path(sys.argv[1])), Pointer(sys.argv[2], "", ""), replacing=None)
"""
TRAIN_FOR_EVER = """
import os, sys, time
from pathlib import Path
Path(sys.argv[1]).with_suffix(".new").write_text(str(os.getpid()))
Path(sys.argv[1]).with_suffix(".new").rename(sys.argv[1])
while True:
    time.sleep(60)
"""


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        """Return the seconds."""
        return self.seconds


@pytest.fixture
def clock():
    """Give a clock that stands still until the test moves it."""
    return Clock()


@pytest.fixture
def store(tmp_path, made_up_bundle):
    """Give a store that holds a model, with no pointer to it yet."""
    store = FolderStore(tmp_path / "store")
    bundles.upload_bundle(store, made_up_bundle)
    return store


@pytest.fixture
def model(store):
    """Give the live model of that store, which serves the packaged one."""
    model = LiveModel(lambda: store, poll_seconds=3600)
    assert model().model_version == PACKAGED
    return model


@pytest.fixture
def commands():
    """Give the list of training runs that were started, each as (run, why)."""
    return []


@pytest.fixture
def make_learner(store, model, clock, commands):
    """Give the function that makes a learner whose training is a piece of Python."""

    def make(code, *arguments):
        def command(run, why):
            commands.append((run, why))
            return [sys.executable, "-c", code, *map(str, arguments)]

        return Learner(store, model, Policy(needed=3), command, clock=clock)

    return make


def follow(learner):
    """Step until the training process has ended."""

    def ended():
        learner.step()
        return not learner.training

    wait_until(ended, "the training process ends")


def counted(store):
    """Return how many events the learner has counted."""
    return json.loads(store.get(layout.feedback_state()).data)["events"]


def lease_is_held(store):
    """Tell whether the training lease is held."""
    return lease.read(store)[0].holds(datetime.now(UTC))


def test_enough_feedback_trains_and_swaps(store, model, make_learner, commands, made_up_bundle):
    """A run starts with its name and reason; the model that it publishes serves when it ends."""
    corrections(store, 3)
    version = made_up_bundle.manifest.model_version
    learner = make_learner(PUBLISH, store.folder, version)
    learner.step()
    assert learner.training
    assert lease.read(store)[0].run == commands[0][0]
    assert model().model_version == PACKAGED
    follow(learner)
    assert model().model_version == version
    assert not lease_is_held(store)
    assert "3 products" in commands[0][1]
    assert len(commands) == 1


def test_too_little_feedback_trains_nothing(store, make_learner):
    """Too little feedback starts no process, and the store says why."""
    corrections(store, 2)
    learner = make_learner("raise SystemExit('nobody should run this')")
    learner.step()
    assert not learner.training
    assert json.loads(store.get(layout.feedback_state()).data)["new"] == 2


def test_new_feedback_is_counted_soon(store, make_learner, clock):
    """News of feedback brings the next count forward by most of a minute; other news do not."""
    corrections(store, 1)
    learner = make_learner("")
    learner.step()
    assert counted(store) == 1
    corrections(store, 2)  # one more
    learner.count("Predictions", 1)
    learner.count("Feedback")
    clock.seconds += 30
    learner.step()
    assert counted(store) == 1
    learner.count("Feedback", 1)
    learner.step()
    assert counted(store) == 1
    clock.seconds += 3
    learner.step()
    assert counted(store) == 2


def test_feedback_that_passed_another_process_is_counted(store, make_learner, clock):
    """Without any news, the feedback is counted once a minute."""
    corrections(store, 1)
    learner = make_learner("")
    learner.step()
    corrections(store, 2)  # one more
    clock.seconds += 59
    learner.step()
    assert counted(store) == 1
    clock.seconds += 1
    learner.step()
    assert counted(store) == 2


def test_a_pointer_that_moved_is_followed(store, model, make_learner, made_up_bundle):
    """Where another process publishes or rolls back, the model is swapped without a request."""
    version = made_up_bundle.manifest.model_version
    write_pointer(store, Pointer(version, "", ""), replacing=None)
    make_learner("").step()
    assert model().model_version == version


@pytest.mark.parametrize("code", ["raise SystemExit(2)", "import os; os.kill(os.getpid(), 9)"])
def test_a_run_without_a_verdict_is_not_repeated_at_once(
    store, make_learner, clock, commands, caplog, code
):
    """What ended a run badly may do so again: the next one waits, whatever comes in meanwhile."""
    corrections(store, 3)
    learner = make_learner(code)
    learner.step()
    follow(learner)
    assert "without a verdict" in caplog.text
    assert not lease_is_held(store)
    learner.count("Feedback", 1)
    clock.seconds += 899
    learner.step()
    assert not learner.training
    clock.seconds += 1
    learner.step()
    assert learner.training
    follow(learner)
    assert len(commands) == 2


def test_training_ends_with_the_service(store, make_learner, tmp_path):
    """When the service stops, so does the process that trains, and its lease."""
    corrections(store, 3)
    pid_file = tmp_path / "pid"
    with make_learner(TRAIN_FOR_EVER, pid_file).working():
        wait_until(pid_file.exists, "the training process starts")
        pid = int(pid_file.read_text())
        os.kill(pid, 0)  # it runs
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not lease_is_held(store)


def test_trouble_does_not_end_the_service(store, make_learner, clock, caplog, monkeypatch):
    """Whatever goes wrong while it looks is logged, and it looks again later."""
    corrections(store, 1)
    with monkeypatch.context() as broken:
        broken.setattr(store, "list", None)
        learner = make_learner("")
        with learner.working():
            wait_until(
                lambda: "Learning from feedback failed" in caplog.text, "the trouble is logged"
            )
            broken.undo()
            clock.seconds += 60
            wait_until(lambda: store.exists(layout.feedback_state()), "it looks again")
    assert counted(store) == 1


def test_the_command_is_aisle_retrain():
    """The training process is a command that anybody may run, on the same store."""
    command = training_command("file:///somewhere")("r1", "Due.")
    assert command[-6:] == ["file:///somewhere", "retrain", "--run", "r1", "--why", "Due."]


def test_only_a_disagreement_starts_a_training(tmp_path, made_up_store):
    """Feedback that agrees with the model starts no training; feedback that disagrees does.

    This runs the real server, from the request to the training process, which ends with it.
    """
    copy = FolderStore(tmp_path / "store")
    for key in made_up_store.list(""):
        copy.put(key, made_up_store.get(key).data)

    names = [f"thing {at}" for at in range(3)]
    with Server(tmp_path, store="store", AISLE_RETRAIN_NEEDED="3") as server:

        def send(path):
            feedback = [
                {"product": {"name": name}, "category": {"path": path(category)}}
                for name, category in zip(names, predicted, strict=True)
            ]
            _, response = server.ask("/v1/feedback/batch", feedback=feedback)
            assert [result["status"] for result in response["results"]] == ["recorded"] * 3

        def stats(events):
            def read():
                return server.ask("/v1/feedback/stats")[1]

            wait_until(lambda: read()["events"] == events, f"{events} events are counted")
            return read()

        predicted = [server.ask("/v1/predict", name=name)[1]["category"] for name in names]
        send(lambda category: [node["name"] for node in category["path"]])
        agree = stats(3)
        assert (agree["new"], agree["right"], agree["last"]["started"]) == (0, 3, False)
        assert "3 new events agree with the model" in agree["why"]
        send(lambda category: [node["name"] for node in category["path"][:-1]] + ["Elsewhere"])
        disagree = stats(6)
        assert (disagree["new"], disagree["right"], disagree["last"]["started"]) == (3, 3, True)
        assert server.ask("/v1/training")[1]["run"] == disagree["last"]["run"]
        server.stop(signal.SIGINT)
