"""Promised quality on real catalogues, each trained on once with the users' command.

These tests need ../shared/data and take minutes; -m 'not slow' leaves them out.
"""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from aisle.catalogue.labelled import read_labelled
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.store import open_store
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

AISLE = Path(sys.executable).with_name("aisle")
ONE_CORE = {"LOKY_MAX_CPU_COUNT", "OMP_NUM_THREADS"}


@pytest.fixture(scope="session")
def train(shared_data, tmp_path_factory):
    """Give the function that trains on a shop's catalogue and returns the published bundle."""

    def run(shop):
        store = tmp_path_factory.mktemp(shop) / "store"
        data = shared_data / shop / "products.jsonl.gz"
        # On thousands of products, unlike on the made-up ones, all cores are worth it.
        every_core = {name: value for name, value in os.environ.items() if name not in ONE_CORE}
        command = [AISLE, "--store", store, "train", "--data", data]
        subprocess.run(command, check=True, timeout=LIMIT_SECONDS, env=every_core)
        return bundles.current_bundle(open_store(str(store)))

    return run


@pytest.fixture(scope="session")
def best_buy(train):
    """Train on the open data set's rows."""
    return train("bestbuy")


@pytest.fixture(scope="session")
def price_runner(train):
    """Train on the second shop's titles."""
    return train("pricerunner")


@pytest.fixture(scope="session")
def phones(train):
    """Train on the phones and accessories."""
    return train("phones")


def on_frozen_test(trained):
    """Return a bundle's metrics on its frozen test."""
    return trained.json(bundle.METRICS)["test"]


@pytest.mark.parametrize(("level", "minimum"), [(1, 0.935), (2, 0.855), (3, 0.77)])
def test_best_buy_accuracy(best_buy, level, minimum):
    """On the frozen test of the open data set, accuracy at each level is as promised."""
    assert on_frozen_test(best_buy)["levels"][level - 1]["accuracy"] >= minimum


def test_best_buy_bundle_is_small(best_buy):
    """The bundle has at most 25 MB."""
    assert sum(map(len, best_buy.to_files().values())) <= 25_000_000


def test_packaged_bundle_is_small():
    """The packaged model has at most 25 MB on disk."""
    assert sum(path.stat().st_size for path in bundle.PACKAGED.iterdir()) <= 25_000_000


def test_packaged_model_is_reproducible(best_buy, shared_data):
    """Training again gives a model that decides like the packaged one.

    Its bytes may differ, because other processors add floating-point numbers in another order. The
    functional tests check that the bytes are equal on one machine.
    """
    packaged = bundle.read(bundle.PACKAGED)
    assert best_buy.manifest.dataset == packaged.manifest.dataset
    rows = islice(read_labelled(shared_data / "bestbuy" / "products.jsonl.gz"), 0, None, 9)
    products = [row.product for row in rows]
    retrained = Classifier(best_buy).predict_proba(products)
    shipped = Classifier(packaged).predict_proba(products)
    assert np.mean(retrained.argmax(axis=1) == shipped.argmax(axis=1)) > 0.99


def test_second_shop_accuracy(price_runner):
    """A second shop's titles are classified as well as promised, with default options."""
    assert on_frozen_test(price_runner)["leaf"]["accuracy"] >= 0.985


def test_second_shop_is_flat(price_runner):
    """All ten of the second shop's categories are classes, in one level."""
    assert len(price_runner.json(bundle.CATEGORIES)["classes"]) == 10
    assert len(on_frozen_test(price_runner)["levels"]) == 1


def test_phones_with_missing_ids(phones):
    """A model learns from a catalogue in which some categories have no id."""
    figures = on_frozen_test(phones)
    assert figures["levels"][0]["accuracy"] >= 0.9
    assert figures["leaf"]["accuracy"] >= 0.5
