"""`aisle data`: a look at a catalogue before training."""

import json

import pytest
from typer.testing import CliRunner

from aisle.cli.main import app
from aisle_training.data.describe import describe
from aisle_training.data.ingest import ingest
from aisle_training.data.pictures import draw
from tests.made_up import products, write_catalogue

SOCK = [{"id": "s", "name": "Sport"}, {"id": "s1", "name": "Socks"}]
PAN = [{"id": "k", "name": "Kitchen"}]
ROWS = [
    {"name": "Wool sock", "description": None, "category": SOCK, "price": 3},
    {"name": "wool SOCK", "description": None, "category": PAN},
    {"name": None, "description": "Iron pan", "category": PAN},
    {"name": " ", "category": PAN},
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give the function that runs the command in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def described(run, tmp_path):
    """Give the figures of the rows above."""
    write_catalogue(tmp_path / "shop.jsonl", ROWS)
    return json.loads(run("data", "describe", "shop.jsonl", "--json").stdout)


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("products", 3),
        ("categories", 2),
        (
            "levels",
            [
                {"level": 1, "products": 3, "categories": 2},
                {"level": 2, "products": 1, "categories": 1},
            ],
        ),
        ("missing", {"name": 1, "description": 2, "manufacturer": 3, "price": 2}),
        ("repeated_texts", 2),
        ("contradictory_texts", 1),
        ("sizes", [1, 2]),
        (
            "commonest",
            [{"category": "Kitchen", "products": 2}, {"category": "Sport > Socks", "products": 1}],
        ),
    ],
)
def test_figures(described, figure, expected):
    """Each figure equals the rows counted by hand; unusable rows do not count."""
    assert described[figure] == expected


def test_sizes_of_categories(described):
    """One of the two categories has at least two products, and two thirds of all products."""
    at_least_two = described["category_sizes"][1]
    assert (at_least_two["at_least"], at_least_two["categories"]) == (2, 1)
    assert at_least_two["products"] == pytest.approx(2 / 3)


def test_table_and_pictures(run, tmp_path):
    """The command prints tables, and draws pictures on request."""
    write_catalogue(tmp_path / "shop.jsonl", products(200))
    result = run("data", "describe", "shop.jsonl", "--pictures", "pictures")
    assert "200 products in 40 categories" in result.stdout
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["category-sizes.svg", "levels.svg"]
    assert all("<svg" in path.read_text() for path in (tmp_path / "pictures").iterdir())


def test_picture_of_a_catalogue_of_one(tmp_path):
    """A catalogue of a single category can be drawn too."""
    from aisle.catalogue.labelled import read_labelled

    rows = read_labelled(write_catalogue(tmp_path / "one.jsonl", ROWS[2:3]))
    assert len(draw(describe(rows), tmp_path / "pictures")) == 2


def test_sample_is_drawn_from_the_whole_file(run, tmp_path):
    """A sample has the requested number of rows, in their order, the same for the same seed."""
    write_catalogue(tmp_path / "shop.jsonl", products(500))
    first, again, other = (
        run("data", "sample", "shop.jsonl", 20, "--seed", seed).stdout for seed in (1, 1, 2)
    )
    skus = [json.loads(line)["sku"] for line in first.splitlines()]
    assert len(skus) == 20
    assert skus == sorted(skus)
    assert max(skus) > 100_400
    assert first == again != other


def test_sample_of_more_than_there_is(run, tmp_path):
    """A sample larger than the file is the whole file."""
    write_catalogue(tmp_path / "shop.jsonl", products(5))
    assert len(run("data", "sample", "shop.jsonl", 20).stdout.splitlines()) == 5


def test_snapshots_of_a_store(run, tmp_path):
    """The snapshots of a store are listed with their source files."""
    from aisle.store import open_store

    data = write_catalogue(tmp_path / "shop.jsonl", ROWS)
    snapshot = ingest(open_store(str(tmp_path / "store")), data)
    result = run("--store", "store", "data", "snapshots")
    assert snapshot.id in result.stdout
    assert "shop.jsonl" in result.stdout
