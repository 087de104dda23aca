"""From a shop's file to a snapshot: what is kept, what is left out, and where that is recorded."""

import csv
import gzip
import hashlib
import json

import pytest
from typer.testing import CliRunner

from aisle.catalogue.columns import columns_from
from aisle.cli.main import app
from aisle.errors import DataError
from aisle.store import open_store
from aisle_training.data.ingest import ingest, read_snapshot, rejects_address
from tests.made_up import products, write_catalogue

ROWS = list(products(60))
BAD = [
    {"sku": 1, "name": " ", "category": ROWS[0]["category"]},
    {"sku": 2, "name": "Pan", "colour": "red"},
    {"sku": 3, "name": ["Pan"], "category": ROWS[0]["category"]},
    "Pan",
    ROWS[1],
]
REASONS = [
    "without a name or a description",
    "without a category",
    "with a name that is not text",
    "not an object",
    "identical to an earlier row",
]


@pytest.fixture
def store(tmp_path):
    """Give a store whose folder does not exist yet."""
    return open_store(str(tmp_path / "store"))


def rejects(store, snapshot):
    """Read the rows that a snapshot left out."""
    packed = store.get(f"datasets/base/{snapshot.id}/rejects.jsonl.gz").data
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def write_table(path, rows):
    """Write rows as a table with other column names; the category has three columns."""
    names = {"sku": "id", "name": "title", "description": "body", "manufacturer": "brand"}
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow([*names.values(), "cost", "dept", "aisle", "shelf"])
        for row in rows:
            writer.writerow(
                [
                    *(row[field] for field in names),
                    row["price"],
                    *(node["name"] for node in row["category"]),
                ]
            )
    return path


def test_what_is_left_out_is_written_down(store, tmp_path):
    """Each unusable row is recorded unchanged, with its file, line and reason."""
    data = write_catalogue(tmp_path / "shop.jsonl", [*BAD[:2], *ROWS, *BAD[2:]])
    snapshot = ingest(store, data)
    assert snapshot.products == 60
    assert snapshot.sources[0]["skipped"] == dict.fromkeys(REASONS, 1)
    rejected_rows = rejects(store, snapshot)
    assert [rejected["row"] for rejected in rejected_rows] == BAD
    assert [rejected["reason"] for rejected in rejected_rows] == REASONS
    assert [rejected["line"] for rejected in rejected_rows] == [1, 2, 63, 64, 65]
    assert {rejected["file"] for rejected in rejected_rows} == {"shop.jsonl"}


def test_bad_rows_do_not_change_a_snapshot(store, tmp_path):
    """The snapshot's id is a hash of its content, which is the usable rows alone."""
    plain = ingest(store, write_catalogue(tmp_path / "plain.jsonl", ROWS))
    assert not store.exists(f"datasets/base/{plain.id}/rejects.jsonl.gz")
    mixed = ingest(store, write_catalogue(tmp_path / "mixed.jsonl", [*ROWS, *BAD]))
    assert mixed.id == plain.id
    assert [rejected["row"] for rejected in rejects(store, mixed)] == BAD
    content = gzip.decompress(store.get(f"datasets/base/{plain.id}/products.jsonl.gz").data)
    assert hashlib.sha256(content).hexdigest() == plain.sha256


def test_a_test_file_stays_whole(store, tmp_path):
    """Duplicates are left out of the training data, never of the frozen test."""
    data = write_catalogue(tmp_path / "shop.jsonl", [*ROWS, ROWS[0]])
    snapshot = ingest(store, data, test_data=data)
    assert [source["products"] for source in snapshot.sources] == [60, 61]


def test_a_table_gives_the_snapshot_that_lines_give(store, tmp_path):
    """The same rows as a table with other column names make the same snapshot, byte by byte."""
    rows = [row | {"category": [node | {"id": None} for node in row["category"]]} for row in ROWS]
    lines = ingest(store, write_catalogue(tmp_path / "shop.jsonl", rows))
    table = ingest(
        store,
        write_table(tmp_path / "shop.csv", rows),
        columns=columns_from(
            "sku=id,name=title,description=body,manufacturer=brand,price=cost,"
            "category=dept+aisle+shelf"
        ),
    )
    assert table.id == lines.id


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode())[:-20],
        b"".join(json.dumps(row).encode() + b"\n" for row in ROWS) + b'{"name": "Caf\xe9"}\n',
        b"".join(json.dumps(row).encode() + b"\n" for row in ROWS) + b"x" * (17 << 20),
        json.dumps(ROWS).encode()[:-5],
        b'{"name": "Pan"}\n',
        b"",
    ],
    ids=["gzip cut off", "not UTF-8", "long line", "array cut off", "no usable row", "empty"],
)
def test_nothing_is_half_written(store, tmp_path, data):
    """A file that is bad at its end leaves the store as it was: without a folder."""
    (tmp_path / "shop.data").write_bytes(data)
    with pytest.raises(DataError):
        ingest(store, tmp_path / "shop.data")
    assert not (tmp_path / "store").exists()


def test_the_command_says_where_the_rejects_are(store, tmp_path):
    """The command prints counts by reason, the address of the rows and the snapshot's id."""
    data = write_table(tmp_path / "shop.csv", [*ROWS, ROWS[0] | {"name": "", "description": ""}])
    mapping = tmp_path / "shop.toml"
    mapping.write_text('name = "title"\ndescription = "body"\nmanufacturer = "brand"\n')
    columns = ["--mapping", str(mapping), "--columns", "sku=id,price=cost,category=dept+aisle"]
    where = ["--store", str(tmp_path / "store")]
    result = CliRunner().invoke(app, [*where, "stage", "ingest", "--data", str(data), *columns])
    assert result.exit_code == 0
    snapshot, rows = read_snapshot(store, result.stdout.strip())
    assert [len(row.labelled.path) for row in rows] == [2] * 60
    assert "shop.csv: rows left out: 1 without a name or a description." in result.stderr
    assert rejects_address(store, snapshot) in result.stderr


def test_separator(store, tmp_path):
    """A path in one text is split where the option says."""
    rows = [{"name": "Pan", "category": "Pots > more/Pans"}]
    data = write_catalogue(tmp_path / "shop.jsonl", rows)
    where = ["--store", str(tmp_path / "store")]
    command = [*where, "stage", "ingest", "--data", str(data), "--separator", "/"]
    result = CliRunner().invoke(app, command)
    (row,) = read_snapshot(store, result.stdout.strip())[1]
    assert [node.name for node in row.labelled.path] == ["Pots > more", "Pans"]
