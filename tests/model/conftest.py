"""What tests of models share: the real catalogues where they are, and the packaged model."""

import os
from pathlib import Path

import pytest

from aisle import bundle
from aisle.classifier import Classifier

ROOT = Path(__file__).parents[2]
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
def packaged():
    """Load the bundle that ships."""
    return Classifier(bundle.read(bundle.PACKAGED))
