"""What tests of several kinds share."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from aisle import registry
from aisle.classifier import Classifier
from aisle.store import open_store
from tests.made_up import products, write_catalogue

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Give the folder of real catalogues; without it, skip, but fail where CI promised it."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = "../shared/data is not there: no real catalogue to train on"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    return pytest.skip(reason)


@pytest.fixture(scope="session")
def research():
    """Give the function that skips where research packages are missing, but fails in CI."""

    def require(*modules):
        missing = [name for name in modules if find_spec(name) is None]
        reason = f"not installed: {', '.join(missing)}; `make research` does it"
        if missing and os.environ.get("CI") == "true":
            pytest.fail(reason)
        elif missing:
            pytest.skip(reason)

    return require


@pytest.fixture(scope="session")
def made_up_bundle(tmp_path_factory):
    """Give the bundle of a model that was trained on 400 made-up products."""
    from training.parameters import DEFAULT, load
    from training.pipeline import Trainer

    folder = tmp_path_factory.mktemp("made_up")
    store = open_store((folder / "store").as_uri())
    catalogue = write_catalogue(folder / "catalogue.jsonl", products(400))
    Trainer(store, load(DEFAULT)).train(catalogue)
    return registry.current_bundle(store)


@pytest.fixture(scope="session")
def made_up_classifier(made_up_bundle):
    """Give a classifier of that bundle."""
    return Classifier(made_up_bundle)
