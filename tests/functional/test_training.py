"""The whole training job on a made-up shop: deterministic, stage by stage, on every kind of store.

The S3 half runs on moto, inside this process. What moto does not prove: that credentials and
policies are checked, that S3's conditional writes collide as moto's do, and how long it takes.
"""

import shutil
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
from tests.made_up import products, write_catalogue

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


@pytest.fixture
def train(tmp_path):
    """Give the function that trains on rows in a store of its own, and returns its classifier."""

    def run(rows, test_rows=None):
        data = write_catalogue(tmp_path / "rows.jsonl", rows)
        test_data = test_rows and write_catalogue(tmp_path / "test.jsonl", test_rows)
        trainer(tmp_path / "own").train(data, test_data=test_data or None)
        return Classifier(bundles.current_bundle(open_store(str(tmp_path / "own"))))

    return run


# The same snapshot and parameters give the same bundle.


@pytest.mark.parametrize("name", ["shop.jsonl", "another.json", "packed.jsonl.gz"])
def test_training_again_elsewhere_gives_the_same_bytes(trained, tmp_path, name):
    """In another folder and from a file of another name, every file of the bundle is the same."""
    data = write_catalogue(tmp_path / name, ROWS)
    verdict = trainer(tmp_path / "store").train(data)
    assert verdict.version == trained[1].version
    assert files(tmp_path / "store") == files(trained[0])


def test_training_again_in_the_same_store_changes_nothing(trained, tmp_path):
    """A second run on the same rows publishes nothing: the pointer keeps its bytes."""
    store, verdict = trained
    before = open_store(str(store)).get("models/current.json")
    again = trainer(store).train(write_catalogue(tmp_path / "shop.jsonl", ROWS))
    assert again.version == again.champion == verdict.version
    assert open_store(str(store)).get("models/current.json") == before


def test_stages_alone_give_the_same_bytes(trained, tmp_path):
    """The stages run one at a time, each by a job of its own, give the same bundle."""
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
    """One product less is another snapshot and another model."""
    assert train(ROWS[1:]).model_version != trained[1].version


def test_s3_gives_the_same_bytes(trained, tmp_path, s3_url):
    """In a bucket, training leaves the same bundle under its prefix as in a folder."""
    data = write_catalogue(tmp_path / "shop.jsonl", ROWS)
    trainer(s3_url).train(data)
    assert files(s3_url) == files(trained[0])
    contents = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert all(each["Key"].startswith("team/shop/") for each in contents)


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
    """A new product lands where its words belong."""
    classifier = Classifier(bundles.current_bundle(open_store(str(trained[0]))))
    (found,) = classifier.predict([Product(name)])
    assert " > ".join(node.name for node in found.category.path) == path


def test_bundle_says_what_it_was_trained_on(trained):
    """The manifest counts the products of each split, and they are all the usable rows."""
    whole = bundles.current_bundle(open_store(str(trained[0])))
    counts = whole.manifest.dataset["products"]
    assert counts["test"] == whole.json(bundle.METRICS)["test"]["rows"]
    assert sum(counts.values()) == len(ROWS)
    assert whole.manifest.documents == counts["train"] + counts["validation"]


def test_catalogue_without_ids(train):
    """Without ids, the path of names stands for one, and the same is learnt."""
    classifier = train(list(products(600, ids=False)))
    (found,) = classifier.predict([Product("stainless milk pan")])
    assert [node.id for node in found.category.path] == [
        "Kitchen",
        "Kitchen > Cookware",
        "Kitchen > Cookware > Saucepans",
    ]


def test_catalogue_of_one_level(train):
    """A flat list of categories is a taxonomy like any other."""
    classifier = train([row | {"category": row["category"][-1:]} for row in ROWS])
    assert classifier.taxonomy.depth == 1
    (found,) = classifier.predict([Product("stainless milk pan")])
    assert [node.name for node in found.category.path] == ["Saucepans"]


def test_catalogue_of_two_categories(train):
    """Two categories are enough to learn from."""
    rows = [row for row in ROWS if row["category"][0]["name"] in {"Garden", "Office"}]
    classifier = train([row | {"category": row["category"][:1]} for row in rows])
    (found,) = classifier.predict([Product("bypass pruner")])
    assert (found.category.category.name, len(classifier.taxonomy.classes)) == ("Garden", 2)


def test_prices_that_a_category_never_has(train):
    """Used games have the words and the makers of new ones, and cost about as much, but two prices.

    To the linear stage, all these prices are two: it takes them by powers of the root of two.
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
    found = classifier.predict(
        [Product(row["name"], price=row["price"]) for row in asked], explain=False
    )
    right = [
        one.category.category.name == row["category"][1]["name"]
        for one, row in zip(found, asked, strict=True)
    ]
    assert np.mean(right) > 0.95


# With a test of one's own.


def test_given_test_is_kept_whole(train, tmp_path, capsys):
    """Rows in both files are counted and said; the test keeps them, and training too."""
    classifier = train(ROWS[:500], ROWS[460:])
    assert "40 of 140 test products have a text that is also in the data" in capsys.readouterr().err
    counts = classifier.manifest.dataset["products"]
    assert counts["test"] == 140
    assert counts["train"] + counts["validation"] == 500


def test_prepared_test_is_the_given_file(train, tmp_path):
    """The frozen test is the given file and nothing else, product by product."""
    train(ROWS[:500], ROWS[500:])
    store = open_store(str(tmp_path / "own"))
    (prepared_id,) = {key.split("/")[2] for key in store.list("datasets/prepared/")}
    prices = [one.product.price for one in read_prepared(store, prepared_id).test]
    assert prices == [row["price"] for row in ROWS[500:]]


def test_worse_model_on_the_same_test_is_refused(train, tmp_path):
    """A model of mislabelled products does not replace the champion on the same frozen test."""
    champion = train(ROWS[:500], ROWS[500:]).model_version
    wrong = [one | {"category": other["category"]} for one, other in pairwise(ROWS[:301])]
    with pytest.raises(PublicationRefusedError, match=champion):
        train(wrong + ROWS[300:500], ROWS[500:])
    serving = bundles.current_bundle(open_store(str(tmp_path / "own")))
    assert serving.manifest.model_version == champion


# Too little to learn from.


def test_one_category_is_a_data_error(train):
    """A catalogue of one category has nothing to learn, which is said."""
    with pytest.raises(DataError, match="from: 1, of"):
        train([row | {"category": ROWS[0]["category"]} for row in ROWS[:50]])


def test_no_word_in_common_is_an_error_that_is_meant(train):
    """A catalogue in which no word comes twice ends in a sentence that says why."""
    rows = [{"name": chr(0x4E00 + at), "category": ROWS[at]["category"]} for at in range(80)]
    with pytest.raises((DataError, PublicationRefusedError)):
        train(rows)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 30])
def test_tiny_catalogue_is_an_error_that_is_meant(train, count):
    """A catalogue of a few products ends in a sentence that says why, not in a crash."""
    with pytest.raises((DataError, PublicationRefusedError)):
        train(ROWS[:count])
