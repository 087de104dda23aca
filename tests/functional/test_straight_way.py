"""A training job does nothing twice: it builds, reads and predicts once, also when resumed.

The counts are taken in the class or function that does the work, whoever calls it.
"""

import shutil
from collections import Counter
from dataclasses import replace

import pytest

from aisle.identity import prediction_id
from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle.registry.pointer import read_pointer
from aisle.store import FolderStore
from aisle_training import artefacts, builds
from aisle_training.data.prepare import read_prepared
from aisle_training.job import STAGES, TrainingJob
from aisle_training.parameters import load
from aisle_training.pipeline import Trainer
from aisle_training.release import measure
from aisle_training.retrain import retrain
from tests.events_of import say
from tests.made_up import products, write_catalogue

ROWS = list(products(500))
DEFAULT = load()
QUICK = replace(
    DEFAULT,
    fit=replace(DEFAULT.fit, min_products=[3], inverse_regularization=[0.5]),
    rerank=replace(DEFAULT.rerank, folds=0),
)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Give the file of a made-up shop."""
    return write_catalogue(tmp_path_factory.mktemp("shop") / "shop.jsonl", ROWS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, catalogue):
    """Train on that shop; give the folder of the store, and the verdict."""
    folder = tmp_path_factory.mktemp("trained") / "store"
    return folder, Trainer(FolderStore(folder), QUICK).train(catalogue)


@pytest.fixture
def counted(monkeypatch):
    """Count, from here on, what a training builds, reads and predicts."""
    counts = Counter()

    def count(owner, name, of):
        done = getattr(owner, name)

        def counting(*arguments, **options):
            counts[of(*arguments, **options)] += 1
            return done(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    count(Classifier, "__init__", lambda self, whole: f"build {whole.manifest.model_version}")
    count(artefacts, "read_prepared", lambda *_: "read the prepared set")
    count(artefacts, "read_snapshot", lambda *_: "read the snapshot")
    for name in ("load_trained", "load_bundle", "load_judgement"):
        count(builds, name, lambda *_, name=name: name)
    count(
        measure,
        "answers",
        lambda classifier, rows, **_: f"ask {classifier.model_version} about {len(rows)}",
    )
    return counts


def size_of_test(store):
    """Return the number of products in the frozen test."""
    (prepared_id,) = {key.split("/")[2] for key in store.list("datasets/prepared/")}
    return len(read_prepared(store, prepared_id).test)


def test_first_training(tmp_path, catalogue, counted):
    """Without a champion, one classifier is built, and predicts the frozen test once."""
    store = FolderStore(tmp_path / "store")
    version = Trainer(store, QUICK).train(catalogue).version
    assert counted == {
        f"build {version}": 1,
        "read the snapshot": 1,
        f"ask {version} about {size_of_test(store)}": 1,
    }


def test_training_with_a_champion(tmp_path, catalogue, trained, counted):
    """The champion is built once too, and predicts the same test once."""
    store = FolderStore(shutil.copytree(trained[0], tmp_path / "store"))
    champion = trained[1].version
    parameters = replace(QUICK, features=replace(QUICK.features, char_ngram_max=4))
    version = Trainer(store, parameters).train(catalogue).version
    assert version != champion
    test = size_of_test(store)
    assert counted == {
        f"build {version}": 1,
        f"build {champion}": 1,
        "read the snapshot": 1,
        f"ask {version} about {test}": 1,
        f"ask {champion} about {test}": 1,
    }


def test_retraining(tmp_path, trained, counted):
    """The champion that judges feedback is also the gate's: it is built once for both."""
    store = FolderStore(shutil.copytree(trained[0], tmp_path / "store"))
    champion = trained[1].version
    for at in range(40):
        product = {
            "name": f"Quadcopter Aero{at} drone",
            "description": f"flying quadcopter, model {at * 7}",
        }
        say(store, product, ("Toys", "Flying", "Drones"), at=at)
    # For a confirmation of a prediction id, the champion predicts the product.
    confirmed = Product("Skillet 28 cm", "Cast iron, for all hobs")
    own = prediction_id(confirmed, champion)
    product = {"name": confirmed.name, "description": confirmed.description}
    say(store, product, right=True, prediction_id=own, at=99)
    counted.clear()
    version = retrain(store, QUICK, why="a test").version
    built = {name: times for name, times in counted.items() if name.startswith("build")}
    assert built == {f"build {version}": 1, f"build {champion}": 1}
    asked = {name: times for name, times in counted.items() if name.startswith("ask")}
    assert len(asked) > 2  # the test, and the new feedback
    assert set(asked.values()) == {1}
    assert counted["read the prepared set"] == 0
    assert counted["read the snapshot"] == 1


class KilledError(Exception):
    """The process is no more."""


@pytest.mark.parametrize("stage", [*STAGES][2:])
def test_killed_training_resumes(tmp_path, catalogue, trained, counted, monkeypatch, stage):
    """A training that stops before a stage and starts again ends with the same model.

    It reads once each part that the earlier stages had written.
    """
    _, undisturbed = trained
    store = FolderStore(tmp_path / "store")

    def killed(*_):
        raise KilledError

    def trainer():
        return Trainer(store, QUICK, TrainingJob.start(store, {"a": "training"}, run="r"))

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, stage, killed)
        with pytest.raises(KilledError):
            trainer().train(catalogue)
    assert read_pointer(store) is None
    counted.clear()
    assert trainer().train(catalogue) == undisturbed
    assert max(counted.values(), default=1) == 1, counted
    asked = sum(times for name, times in counted.items() if name.startswith("ask"))
    assert asked == (stage != "publish")
    assert counted[f"build {undisturbed.version}"] == (stage != "publish")
