"""A store that an earlier version of the code wrote: it serves, lists and learns as before.

The commit 4fde745 wrote `tests/stores/2026-11.tar.xz`: it trained on a made-up shop, took
corrections (40 products by a client, three by visitors, one confirmation), rejected one of the
visitors', retrained and rolled back. `2026-11.json` has the responses of its API. The archive
leaves out the pictures and the word vectors, which are those of the packaged model.
"""

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from aisle.model import bundle
from tests.commands import AISLE, Server, environment
from tests.waiting import LIMIT_SECONDS

STORES = Path(__file__).parents[1] / "stores"
FIRST, SECOND = "77891d0011a2", "eeb753f20144"
# Its hash replaces the shop's own key's in the store.
KEY = "aisle_" + "0" * 64


@pytest.fixture(scope="module")
def said():
    """Give what the API answered about the store back then."""
    return json.loads((STORES / "2026-11.json").read_bytes())


@pytest.fixture
def store(tmp_path):
    """Unpack the store."""
    folder = tmp_path / "store"
    with tarfile.open(STORES / "2026-11.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    for version in (FIRST, SECOND):
        model = folder / "models" / version
        shutil.copy(bundle.PACKAGED / bundle.PIECES, model / bundle.PIECES)
        np.save(model / "vectors.npy", bundle.read(bundle.PACKAGED).word_pieces()[1])
    return folder


@pytest.fixture
def aisle(store, tmp_path):
    """Give the function that runs a command on the store."""

    def run(*arguments):
        return subprocess.run(
            [*AISLE, "--store", str(store), *arguments],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            env=environment() | {"COLUMNS": "160"},
        )

    return run


def within(part, whole):
    """Tell whether a response still has all it had; more may have been added."""
    if isinstance(part, dict):
        return part.keys() <= whole.keys() and all(within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(within, part, whole))
    if isinstance(part, float):  # the linear stage of format 5 rounded its sums
        return part == pytest.approx(whole, abs=1e-3)
    return part == whole


def test_it_serves_and_tells_the_same(store, said, tmp_path):
    """The same key opens it; answers and the list of models are the same."""
    with Server(tmp_path, store=str(store)) as server:
        status, answers = server.ask("/v1/predict/batch", KEY, products=said["asked"])
        assert (status, within(said["answers"], answers["results"])) == (200, True)
        assert within(said["models"], server.ask("/v1/models", KEY)[1])
        stats = server.ask("/v1/feedback/stats", KEY)[1]
        training = server.ask("/v1/training", KEY)[1]
    assert (stats["events"], stats["right"], stats["corrections"]) == (44, 1, 43)
    assert (stats["held"], stats["quarantined"], stats["new"]) == (2, 0, 0)
    assert (training["state"], training["version"]) == ("published", SECOND)


def test_commands_tell_the_same(aisle, said):
    """The list of models has the states of the API; two events wait, the rejected one does not."""
    listed = aisle("model", "list")
    assert listed.returncode == 0, listed.stderr
    for model in said["models"]["models"]:
        (line,) = [line for line in listed.stdout.splitlines() if model["version"] in line]
        assert f" {model['state']} " in line
    waiting = aisle("feedback", "review", "list").stdout
    assert all(event in waiting for event in ("f42a2e2d3085", "8785e6a3c85b"))
    assert "6534543860fe" not in waiting


def test_models_are_switched(aisle):
    """A model that an earlier version published is promoted, and rolled back from."""
    assert aisle("model", "promote", SECOND).returncode == 0
    assert aisle("model", "rollback").returncode == 0
    assert f"{FIRST}  " in aisle("model", "list").stdout


def test_it_learns_on(store, aisle, tmp_path):
    """New feedback, the old feedback and the catalogue train a new model together."""
    product = {"name": "moka pot 9 cups", "description": "A moka pot of steel"}
    category = {"id": "kitchen-small-appliances-coffee-machines"}
    with Server(tmp_path, store=str(store), AISLE_RETRAIN_NEEDED="500") as server:
        status, _ = server.ask("/v1/feedback", KEY, product=product, category=category)
    assert status in (200, 201)
    trained = aisle("retrain", "--why", "moka pots")
    assert trained.returncode == 0, trained.stderr
    assert "champion 77891d0011a2" in trained.stderr
