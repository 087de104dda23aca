"""`aisle retrain`: whether it is due, one at a time, and its traces in the store."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from aisle.store import FolderStore, layout, lease
from tests.commands import AISLE, environment
from tests.events_of import corrections


@pytest.fixture
def store(tmp_path):
    """Give the store that the command works on."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def retrain(tmp_path):
    """Give a function that runs the command."""

    def run(*arguments, **variables):
        return subprocess.run(
            [*AISLE, "--store", "store", "retrain", *arguments],
            cwd=tmp_path,
            env=environment() | variables,
            capture_output=True,
            check=False,
            text=True,
        )

    return run


@pytest.mark.parametrize(("needed", "said"), [("3", "Due: 3 products"), ("4", "Not due: 3 prod")])
def test_dry_run_only_tells(retrain, store, needed, said):
    """A dry run says whether training is due, and why, and writes nothing."""
    corrections(store, 3)
    before = [*store.list("")]
    done = retrain("--dry-run", AISLE_RETRAIN_NEEDED=needed)
    assert done.returncode == 0
    assert done.stdout.startswith(said)
    assert [*store.list("")] == before


def test_what_is_not_due_is_no_error(retrain, store):
    """With --if-due and too little feedback it exits 0; output and store have the reason."""
    corrections(store, 3)
    done = retrain("--if-due")
    assert (done.returncode, done.stdout[:8]) == (0, "Not due:")
    assert json.loads(store.get(layout.feedback_state()).data)["why"] in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--run", "r2"], ["--if-due"]])
def test_one_at_a_time(retrain, store, arguments):
    """Where another job holds the lease, nothing is trained, and the message names that job."""
    corrections(store, 60)
    now = datetime.now(UTC)
    lease.take(store, "r1", "somebody else", now=now, lasting=timedelta(hours=1))
    done = retrain(*arguments)
    assert done.returncode == (0 if arguments == ["--if-due"] else 2)
    assert "r1" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert lease.read(store)[0].run == "r1"


def test_nothing_to_train_on_ends_the_lease(retrain, store):
    """Without a catalogue, the error says what to do, and the lease is released."""
    corrections(store, 3)
    done = retrain("--data", "missing.jsonl")
    assert done.returncode == 2
    assert "missing.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not lease.read(store)[0].holds(datetime.now(UTC))
    assert json.loads(store.get(layout.training_status()).data)["state"] == "failed"
