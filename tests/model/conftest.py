"""What tests of models share: the packaged model."""

import pytest

from aisle import bundle
from aisle.classifier import Classifier


@pytest.fixture(scope="session")
def packaged():
    """Load the bundle that ships."""
    return Classifier(bundle.read(bundle.PACKAGED))
