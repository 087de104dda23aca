"""What tests of several kinds share."""

import pytest

from aisle import registry
from aisle.classifier import Classifier
from aisle.store import open_store
from tests.made_up import products, write_catalogue


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
