"""The packaged model, for tests of its behaviour."""

import pytest

from aisle.model import bundle
from aisle.model.classifier import Classifier


@pytest.fixture(scope="session")
def packaged():
    """Load the packaged model."""
    return Classifier(bundle.read(bundle.PACKAGED))
