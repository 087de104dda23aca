"""What makes `aisle serve` learn, with a process that only pretends to train."""

import json
import signal
import sys
import time
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

PACKAGED = bundle.read(bundle.PACKAGED).manifest.model_version
POINT = """
import sys
from pathlib import Path
from aisle.registry.pointer import Pointer, write_pointer
from aisle.store import FolderStore
write_pointer(FolderStore(Path(sys.argv[1])), Pointer(sys.argv[2], "", ""), replacing=None)
"""


@pytest.fixture
def store(tmp_path, made_up_bundle):
    """Give a store in which a model lies that does not serve yet."""
    found = FolderStore(tmp_path)
    bundles.upload_bundle(found, made_up_bundle)
    return found


def learner(store, code, *arguments, commands=None):
    """Make a learner whose training is a line of Python."""
    noted = [] if commands is None else commands

    def command(run, why):
        noted.append((run, why))
        return [sys.executable, "-c", code, *arguments]

    model = LiveModel(lambda: store, poll_seconds=3600)
    assert model().model_version == PACKAGED
    return Learner(store, model, Policy(needed=3), command)


def step(it, *, until, seconds=60):
    """Let the learner work until something is true."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        it._step(time.monotonic())
        time.sleep(0.01)


def test_enough_feedback_trains_and_swaps(store, tmp_path, made_up_bundle):
    """A run is started with its name and reason; the model that comes of it serves at its end."""
    corrections(store, 3)
    version = made_up_bundle.manifest.model_version
    commands = []
    it = learner(store, POINT, str(tmp_path), version, commands=commands)
    step(it, until=lambda: it._process is not None)
    assert lease.read(store)[0].run == commands[0][0]
    assert it._model().model_version == PACKAGED
    step(it, until=lambda: it._process is None)
    assert it._model().model_version == version
    assert not lease.read(store)[0].holds(datetime.now(UTC))
    assert "3 products" in commands[0][1]
    assert len(commands) == 1


def test_too_little_feedback_trains_nothing(store):
    """Too little feedback starts no process, and the store says why."""
    corrections(store, 2)
    it = learner(store, "raise SystemExit('nobody should run this')")
    it._step(0.0)
    assert it._process is None
    assert json.loads(store.get(layout.feedback_state()).data)["new"] == 2


def test_feedback_is_heard_of(store):
    """That feedback came in makes it look soon; other news do not, nor before a pause."""
    it = learner(store, "")
    it._step(0.0)
    quiet = it._count_at
    it.count("Predictions", 1)
    it.count("Feedback")
    it._count_at = later = time.monotonic() + 50
    it.count("Predictions", 1)
    assert it._count_at == later
    it.count("Feedback", 1)
    assert it._count_at < later
    assert quiet > 0


def test_a_pointer_that_moved_is_followed(store, made_up_bundle):
    """Where another process publishes or rolls back, the model is swapped without a request."""
    it = learner(store, "")
    version = made_up_bundle.manifest.model_version
    write_pointer(store, Pointer(version, "", ""), replacing=None)
    it._step(time.monotonic())
    assert it._model._serving.model_version == version


@pytest.mark.parametrize("code", ["raise SystemExit(2)", "import os; os.kill(os.getpid(), 9)"])
def test_a_run_without_a_verdict_is_not_repeated_at_once(store, caplog, code):
    """Whatever ended a run badly may do so again: there is a pause, whatever comes in meanwhile."""
    corrections(store, 3)
    commands = []
    it = learner(store, code, commands=commands)
    step(it, until=lambda: it._process is not None)
    step(it, until=lambda: it._process is None)
    it.count("Feedback", 1)
    it._step(time.monotonic())
    assert it._process is None
    assert len(commands) == 1
    assert "without a verdict" in caplog.text
    assert not lease.read(store)[0].holds(datetime.now(UTC))


def test_training_ends_with_the_service(store):
    """When the service stops, so does the process that trains, and its lease."""
    corrections(store, 3)
    it = learner(store, "import time; time.sleep(600)")
    deadline = time.monotonic() + 30
    with it.working():
        while it._process is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process = it._process
        assert process.poll() is None
    assert process.poll() is not None
    assert not lease.read(store)[0].holds(datetime.now(UTC))


def test_trouble_does_not_end_the_service(store, caplog, monkeypatch):
    """Whatever goes wrong while it looks is logged, and it looks again later."""
    it = learner(store, "")
    monkeypatch.setattr(it, "_counter", None)
    with it.working():
        deadline = time.monotonic() + 30
        while "Learning from feedback failed" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "Learning from feedback failed" in caplog.text


def test_the_command_is_aisle_retrain():
    """What trains is the command that anybody may run, on the same store."""
    command = training_command("file:///somewhere")("r1", "Due.")
    assert command[-6:] == ["file:///somewhere", "retrain", "--run", "r1", "--why", "Due."]


def test_only_a_disagreement_starts_a_training(tmp_path, made_up_store):
    """`aisle serve` asks its model what was predicted: what agrees starts nothing, the rest does.

    The real thing, from the request to the process that trains; that one ends with the service.
    """
    copy = FolderStore(tmp_path / "store")
    for key in made_up_store.list(""):
        copy.put(key, made_up_store.get(key).data)

    names = [f"thing {at}" for at in range(3)]
    with Server(tmp_path, store="store", AISLE_RETRAIN_NEEDED="3") as server:

        def say(path):
            said = [
                {"product": {"name": name}, "category": {"path": path(predicted)}}
                for name, predicted in zip(names, answers, strict=True)
            ]
            _, answer = server.ask("/v1/feedback/batch", feedback=said)
            assert [each["status"] for each in answer["results"]] == ["recorded"] * 3

        def stats(events):
            deadline = time.monotonic() + 60
            while (found := server.ask("/v1/feedback/stats")[1])["events"] < events:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            return found

        answers = [server.ask("/v1/predict", name=name)[1]["category"] for name in names]
        say(lambda predicted: [node["name"] for node in predicted["path"]])
        agree = stats(3)
        assert (agree["new"], agree["right"], agree["last"]["started"]) == (0, 3, False)
        assert "3 new events agree with the model" in agree["why"]
        say(lambda predicted: [node["name"] for node in predicted["path"][:-1]] + ["Elsewhere"])
        other = stats(6)
        assert (other["new"], other["right"], other["last"]["started"]) == (3, 3, True)
        assert server.ask("/v1/training")[1]["run"] == other["last"]["run"]
        server.stop(signal.SIGINT)
