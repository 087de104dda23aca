"""Any shop's catalogue: the shared ones as they are, and as tables with other column names."""

import csv
import json
import os
import subprocess
import sys
from itertools import islice

import pytest

from aisle.catalogue.records import read_records
from aisle.store import layout, open_store
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

AISLE = [sys.executable, "-c", "from aisle.cli.main import main; main()"]
COLUMNS = "sku=id,name=title,description=body,manufacturer=brand,price=cost,category=cat"


def run(store, *arguments):
    """Run a command on a store; return its standard output."""
    environment = {
        name: record for name, record in os.environ.items() if not name.startswith("AISLE_")
    }
    done = subprocess.run(
        [*AISLE, "--store", str(store), *arguments],
        env=environment | {"TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_table(path, rows):
    """Write rows as a table with other column names, categories as text and no ids."""
    fields = ("sku", "name", "description", "manufacturer", "price")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["id", "title", "body", "brand", "cost", "cat"])
        for row in rows:
            names = [node["name"] for node in row["category"]]
            writer.writerow([*(row.get(field) for field in fields), " > ".join(names)])
    return path


@pytest.fixture(
    params=[("bestbuy", 6), ("phones", 3), ("pricerunner", 30)], ids=lambda param: param[0]
)
def sample(request, shared_data, tmp_path):
    """Give every nth row of a shared catalogue, and the file of them."""
    folder, step = request.param
    catalogue = shared_data / folder / "products.jsonl.gz"
    rows = [record.raw for record in islice(read_records(catalogue), 0, None, step)]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(rows))
    return rows, path


def splits(store, *options):
    """Ingest and prepare a catalogue; return the number of products in each split."""
    snapshot = run(store, "stage", "ingest", *options).strip()
    prepared = run(store, "stage", "prepare", snapshot).strip()
    manifest = open_store(str(store)).get(layout.prepared(prepared, "manifest.json"))
    return json.loads(manifest.data)["products"]


def test_as_it_is_and_as_a_table(sample, tmp_path):
    """Written as a table, a catalogue gives the same data; it can be trained on and evaluated.

    The tests of the models train on each catalogue as it is.
    """
    rows, path = sample
    table = write_table(tmp_path / "shop.tsv", rows)
    options = ["--data", str(table), "--columns", COLUMNS]
    named = tmp_path / "named"
    assert splits(named, *options) == splits(tmp_path / "plain", "--data", str(path))
    assert run(named, "train", *options)
    figures = json.loads(run(named, "evaluate", *options, "--json"))
    assert figures["rows"] == len(rows)
    assert figures["levels"][0]["accuracy"] > 0.8
