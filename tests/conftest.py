"""Fixtures for tests of several kinds."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.store import open_store
from tests.made_up import products, write_catalogue

# On a shop of some hundred products, threads and processes cost more than they bring: one training
# takes a third of the CPU time without them, and on a busy machine a fifth of the time. The bundle
# is the same; test_training.py has one that is trained with both.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.seconds = 1e9

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture(scope="session")
def shared_data():
    """Give the folder of real catalogues; without it, skip, but fail in CI."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = "../shared/data does not exist: no real catalogue to train on"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    return pytest.skip(reason)


@pytest.fixture(scope="session")
def research():
    """Give the function that skips if research packages are missing, but fails in CI."""

    def require(*modules):
        missing = [name for name in modules if find_spec(name) is None]
        reason = f"not installed: {', '.join(missing)}; `make research` installs them"
        if missing and os.environ.get("CI") == "true":
            pytest.fail(reason)
        elif missing:
            pytest.skip(reason)

    return require


@pytest.fixture(scope="session")
def made_up_store(tmp_path_factory):
    """Give a store that serves a model trained on 400 made-up products."""
    from aisle_training.parameters import DEFAULT, load
    from aisle_training.pipeline import Trainer

    folder = tmp_path_factory.mktemp("made_up")
    store = open_store((folder / "store").as_uri())
    catalogue = write_catalogue(folder / "catalogue.jsonl", products(400))
    Trainer(store, load(DEFAULT)).train(catalogue)
    return store


@pytest.fixture(scope="session")
def made_up_bundle(made_up_store):
    """Give the bundle of that model."""
    return bundles.current_bundle(made_up_store)


@pytest.fixture(scope="session")
def made_up_classifier(made_up_bundle):
    """Give a classifier of that bundle."""
    return Classifier(made_up_bundle)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give boto3 settings that reach no account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def s3_url(aws: None) -> Iterator[str]:
    """Give the address of a prefix in the empty bucket `shelf`."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="shelf")
        yield "s3://shelf/team/shop"
