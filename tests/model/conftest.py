"""What tests of models share: the packaged model."""

import pytest

from aisle.model import bundle
from aisle.model.classifier import Classifier


@pytest.fixture(scope="session")
def packaged():
    """Load the bundle that ships."""
    return Classifier(bundle.read(bundle.PACKAGED))
