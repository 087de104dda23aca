"""The whole training job on a made-up shop: deterministic, stage by stage, on every kind of store.

The S3 half runs on moto, inside this process. Moto does not prove that S3 checks credentials and
policies, that its conditional writes collide as moto's do, or how long it takes.
"""

import shutil
import subprocess
from itertools import pairwise

import boto3
import numpy as np
import pytest

from aisle.errors import DataError, PublicationRefusedError
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle.registry import bundles
from aisle.store import open_store
from aisle_training.data.prepare import read_prepared
from aisle_training.parameters import load
from aisle_training.pipeline import Trainer
from tests.commands import AISLE, environment
from tests.made_up import products, write_catalogue
from tests.waiting import LIMIT_SECONDS

ROWS = list(products(600))
BUCKET = "shelf"  # the fixture's


def trainer(store):
    """Make a training job on a store, by its address or folder."""
    return Trainer(open_store(str(store)), load())


def files(store):
    """Return the files of the bundle that a store serves."""
    return bundles.current_bundle(open_store(str(store))).to_files()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on the made-up shop; give the folder of its store, and the verdict."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_catalogue(folder / "shop.jsonl", ROWS)
    return folder / "store", trainer(folder / "store").train(data)


@pytest.fixture(scope="module")
def trained_with_test(tmp_path_factory):
    """Train on 500 products with a test file of the others; give the folder of the store."""
    folder = tmp_path_factory.mktemp("trained_with_test")
    data = write_catalogue(folder / "shop.jsonl", ROWS[:500])
    test_data = write_catalogue(folder / "test.jsonl", ROWS[500:])
    trainer(folder / "store").train(data, test_data=test_data)
    return folder / "store"


@pytest.fixture
def train(tmp_path):
    """Give the function that trains on rows in the test's own store, and returns the classifier."""

    def run(rows, test_rows=None):
        data = write_catalogue(tmp_path / "rows.jsonl", rows)
        test_data = test_rows and write_catalogue(tmp_path / "test.jsonl", test_rows)
        trainer(tmp_path / "own").train(data, test_data=test_data or None)
        return Classifier(bundles.current_bundle(open_store(str(tmp_path / "own"))))

    return run


# The same snapshot and parameters give the same bundle.


def test_training_again_elsewhere_gives_the_same_bytes(trained, tmp_path):
    """In another folder and from a file of another name, every file of the bundle is the same."""
    data = write_catalogue(tmp_path / "packed.jsonl.gz", ROWS)
    verdict = trainer(tmp_path / "store").train(data)
    assert verdict.version == trained[1].version
    assert files(tmp_path / "store") == files(trained[0])


@pytest.mark.parametrize("seed", ["3", "5"])
def test_training_on_two_cores_gives_the_same_bytes(trained, tmp_path, seed):
    """Neither the number of threads and processes nor the order of Python's sets changes a byte."""
    data = write_catalogue(tmp_path / "shop.jsonl", ROWS)
    cores = {"OMP_NUM_THREADS": "2", "LOKY_MAX_CPU_COUNT": "2"}
    done = subprocess.run(
        [*AISLE, "--store", str(tmp_path / "store"), "train", "--data", str(data)],
        check=False,
        capture_output=True,
        env=environment() | cores | {"PYTHONHASHSEED": seed},
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "store") == files(trained[0])


def test_training_again_in_the_same_store_changes_nothing(trained, tmp_path):
    """A second run on the same rows publishes nothing: the pointer stays as it is."""
    store, verdict = trained
    before = open_store(str(store)).get("models/current.json")
    again = trainer(store).train(write_catalogue(tmp_path / "shop.jsonl", ROWS))
    assert again.version == again.champion == verdict.version
    assert open_store(str(store)).get("models/current.json") == before


def test_stages_alone_give_the_same_bytes(trained, tmp_path):
    """The stages run one at a time, each by its own trainer, give the same bundle."""
    data = write_catalogue(tmp_path / "shop.jsonl", ROWS)
    store = tmp_path / "store"
    snapshot = trainer(store).ingest(data)
    build = trainer(store).fit(trainer(store).prepare(snapshot))
    trainer(store).export(build)
    trainer(store).evaluate(build)
    with pytest.raises(DataError, match="the gate cannot be skipped"):
        trainer(store).publish(build)
    trainer(store).gate(build)
    assert list(open_store(str(store)).list("models/")) == []
    trainer(store).publish(build)
    assert files(store) == files(trained[0])


def test_other_rows_give_another_model(trained, train):
    """One product fewer gives another snapshot and another model."""
    assert train(ROWS[1:]).model_version != trained[1].version


def test_s3_gives_the_same_bytes(trained, tmp_path, s3_url):
    """In a bucket, training leaves the same bundle under its prefix as in a folder."""
    data = write_catalogue(tmp_path / "shop.jsonl", ROWS)
    trainer(s3_url).train(data)
    assert files(s3_url) == files(trained[0])
    contents = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert all(item["Key"].startswith("team/shop/") for item in contents)


def test_build_of_an_earlier_version(trained, tmp_path):
    """A build of an earlier version is refused by name; the fit stage makes it again."""
    folder = shutil.copytree(trained[0], tmp_path / "store")
    (file,) = folder.glob("runs/*/trained.npz")
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays if name != "naive_bayes"}
    with file.open("wb") as opened:
        np.savez_compressed(opened, **kept)
    with pytest.raises(DataError, match=r"earlier version of Aisle\. Run the fit"):
        trainer(folder).export(file.parent.name)


# What was learnt.


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Heron - Skillet - Copper", "Kitchen > Cookware > Frying Pans"),
        ("gooseneck kettle, 0.8 l", "Kitchen > Small Appliances > Kettles"),
        ("TULIP BULBS, 40 pcs", "Garden > Plants > Bulbs"),
        ("ergonomic chair with armrests", "Office > Desk > Chairs"),
    ],
)
def test_products_never_seen_find_their_category(trained, name, path):
    """A new product gets the category of its words."""
    classifier = Classifier(bundles.current_bundle(open_store(str(trained[0]))))
    (prediction,) = classifier.predict([Product(name)])
    assert " > ".join(node.name for node in prediction.category.path) == path


def test_bundle_says_what_it_was_trained_on(trained):
    """The manifest's counts of the splits add up to all the usable rows."""
    current = bundles.current_bundle(open_store(str(trained[0])))
    counts = current.manifest.dataset["products"]
    assert counts["test"] == current.json(bundle.METRICS)["test"]["rows"]
    assert sum(counts.values()) == len(ROWS)
    assert current.manifest.documents == counts["train"] + counts["validation"]


def test_catalogue_without_ids(train):
    """Without ids, the path of names serves as the id, and the model learns the same."""
    classifier = train(list(products(600, ids=False)))
    (prediction,) = classifier.predict([Product("stainless milk pan")])
    assert [node.id for node in prediction.category.path] == [
        "Kitchen",
        "Kitchen > Cookware",
        "Kitchen > Cookware > Saucepans",
    ]


def test_catalogue_of_one_level(train):
    """A flat list of categories is a taxonomy like any other."""
    classifier = train([row | {"category": row["category"][-1:]} for row in ROWS])
    assert classifier.taxonomy.depth == 1
    (prediction,) = classifier.predict([Product("stainless milk pan")])
    assert [node.name for node in prediction.category.path] == ["Saucepans"]


def test_catalogue_of_two_categories(train):
    """Two categories are enough to learn from."""
    rows = [row for row in ROWS if row["category"][0]["name"] in {"Garden", "Office"}]
    classifier = train([row | {"category": row["category"][:1]} for row in rows])
    (prediction,) = classifier.predict([Product("bypass pruner")])
    assert prediction.category.category.name == "Garden"
    assert len(classifier.taxonomy.classes) == 2


def test_prices_that_a_category_never_has(train):
    """Used games have the words and makers of new ones, and similar prices, but only two of them.

    To the linear stage all these prices are two: it bins them by powers of the square root of two.
    """
    few, many = [4.99, 9.99], [*np.arange(4.7, 6.9, 0.1), *np.arange(7.1, 10.2, 0.1)]
    random = np.random.default_rng(0)

    def games(count):
        used = random.random(count) < 0.5
        texts = random.choice(["race", "quest", "puzzle", "arena", "soccer", "city"], (count, 4))
        for number in range(count):
            name = f"{' '.join(texts[number])} {number}"
            price = round(float(random.choice(few if used[number] else many)), 2)
            path = [{"name": "Games"}, {"name": "Used" if used[number] else "New"}]
            yield {"name": name, "price": price, "category": path}

    classifier = train([*ROWS, *games(500)])
    asked = list(games(200))
    predictions = classifier.predict(
        [Product(row["name"], price=row["price"]) for row in asked], explain=False
    )
    right = [
        prediction.category.category.name == row["category"][1]["name"]
        for prediction, row in zip(predictions, asked, strict=True)
    ]
    assert np.mean(right) > 0.95


# With the user's own test file.


def test_given_test_is_kept_whole(train, tmp_path, capsys):
    """Rows in both files are counted and reported; they stay in both the test and the training."""
    classifier = train(ROWS[:500], ROWS[460:])
    assert "40 of 140 test products have a text that is also in the data" in capsys.readouterr().err
    counts = classifier.manifest.dataset["products"]
    assert counts["test"] == 140
    assert counts["train"] + counts["validation"] == 500


def test_prepared_test_is_the_given_file(trained_with_test):
    """The frozen test is the given file and nothing else, product by product."""
    store = open_store(str(trained_with_test))
    (prepared_id,) = {key.split("/")[2] for key in store.list("datasets/prepared/")}
    prices = [example.product.price for example in read_prepared(store, prepared_id).test]
    assert prices == [row["price"] for row in ROWS[500:]]


def test_worse_model_on_the_same_test_is_refused(trained_with_test, train, tmp_path):
    """A model of mislabelled products does not replace the champion on the same frozen test."""
    shutil.copytree(trained_with_test, tmp_path / "own")
    champion = bundles.current_bundle(open_store(str(tmp_path / "own"))).manifest.model_version
    wrong = [row | {"category": other["category"]} for row, other in pairwise(ROWS[:301])]
    with pytest.raises(PublicationRefusedError, match=champion):
        train(wrong + ROWS[300:500], ROWS[500:])
    serving = bundles.current_bundle(open_store(str(tmp_path / "own")))
    assert serving.manifest.model_version == champion


# Too little to learn from.


def test_one_category_is_a_data_error(train):
    """A catalogue of one category has nothing to learn, and the error says so."""
    with pytest.raises(DataError, match="from: 1, of"):
        train([row | {"category": ROWS[0]["category"]} for row in ROWS[:50]])


def test_no_word_in_common_is_an_error_for_users(train):
    """A catalogue in which no word occurs twice ends in a sentence that says why."""
    rows = [{"name": chr(0x4E00 + at), "category": ROWS[at]["category"]} for at in range(80)]
    with pytest.raises((DataError, PublicationRefusedError)):
        train(rows)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 30])
def test_tiny_catalogue_is_an_error_for_users(train, count):
    """A catalogue of a few products ends in a sentence that says why, not in a crash."""
    with pytest.raises((DataError, PublicationRefusedError)):
        train(ROWS[:count])
