"""Snapshots in the store: a damaged one is an error that says what to do, never a stack trace."""

import gzip
import json

import pytest

from aisle.errors import DataError, MalformedObjectError
from aisle.store import FolderStore, layout
from aisle_training import parameters
from aisle_training.data.ingest import ingest, list_snapshots, read_snapshot, snapshot_facts
from aisle_training.data.ingest_feedback import find_base
from aisle_training.data.prepare import prepare, read_prepared

ROWS = [{"name": f"lamp {number}", "category": ["Home", "Lamps"]} for number in range(20)]


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def snapshot(store, tmp_path):
    """Ingest a small catalogue."""
    data = tmp_path / "shop.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return ingest(store, data)


def test_facts_round_trip(store, snapshot):
    """The manifest gives back the facts of the snapshot."""
    assert snapshot_facts(store, snapshot.id) == snapshot
    assert list(list_snapshots(store)) == [snapshot]


def test_unknown_fact_is_ignored(store, snapshot):
    """A manifest of a later version, with a field more, is read."""
    key = layout.base_snapshot(snapshot.id, "manifest.json")
    facts = json.loads(store.get(key).data) | {"added_later": 1}
    store.put(key, json.dumps(facts).encode())
    assert snapshot_facts(store, snapshot.id) == snapshot


def test_missing_snapshot_is_named(store):
    """An unknown id is an error that says where the ids are."""
    with pytest.raises(DataError, match=r"no snapshot abc .* aisle data snapshots"):
        snapshot_facts(store, "abc")


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"id": "a", "sha256": "a", "products": 1, "test_products": 0, "sources": [{}]}',
        b'{"id": "a", "sha256": "a", "products": "x", "test_products": 0, "sources": []}',
    ],
    ids=["empty", "bytes", "null", "array", "object", "deep", "source", "number"],
)
@pytest.mark.parametrize(
    "read",
    [
        snapshot_facts,
        lambda store, _: list(list_snapshots(store)),
        lambda store, _: find_base(store),
    ],
    ids=["facts", "list", "base"],
)
def test_damaged_manifest_is_named(store, snapshot, damage, read):
    """Whoever reads a damaged manifest learns which object it is and what to do."""
    key = layout.base_snapshot(snapshot.id, "manifest.json")
    store.put(key, damage)
    with pytest.raises(MalformedObjectError, match=f"^{key} .*ingest the same data again"):
        read(store, snapshot.id)


def test_manifest_is_mended_by_ingesting_again(store, snapshot, tmp_path):
    """What the error advises works."""
    store.delete(layout.base_snapshot(snapshot.id, "manifest.json"))
    assert ingest(store, tmp_path / "shop.jsonl") == snapshot
    assert snapshot_facts(store, snapshot.id) == snapshot


DAMAGED_LINES = [
    b"no gzip",
    gzip.compress(b"{}\n")[:-6],
    gzip.compress(b"no JSON\n"),
    gzip.compress(b"[]\n"),
    gzip.compress(b"{}\n"),
    gzip.compress(b"[" * 100_000 + b"\n"),
]
LINE_IDS = ["no gzip", "cut off", "no JSON", "array", "object", "deep"]


@pytest.mark.parametrize("damage", DAMAGED_LINES, ids=LINE_IDS)
def test_damaged_rows_are_named(store, snapshot, damage):
    """Damaged rows of a snapshot are an error that names the object."""
    key = layout.base_snapshot(snapshot.id, "products.jsonl.gz")
    store.put(key, damage)
    _, rows = read_snapshot(store, snapshot.id)
    with pytest.raises(MalformedObjectError, match=f"^{key} .*ingest the same data again"):
        list(rows)


@pytest.mark.parametrize("damage", DAMAGED_LINES, ids=LINE_IDS)
@pytest.mark.parametrize("name", ["manifest.json", "train.jsonl.gz"])
def test_damaged_prepared_set_is_named(store, snapshot, name, damage):
    """A damaged object of a prepared set is an error that names it and the stage to run."""
    facts, rows = read_snapshot(store, snapshot.id)
    prepared = prepare(store, facts, rows, parameters.load().prepare)
    assert read_prepared(store, prepared.id) == prepared
    key = layout.prepared(prepared.id, name)
    store.put(key, damage)
    with pytest.raises(MalformedObjectError, match=f"^{key} .*run the prepare stage again"):
        read_prepared(store, prepared.id)
