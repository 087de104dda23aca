"""Stage 1, ingest: a shop's catalogue -> an immutable snapshot in the store."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from typing import Any

from aisle import keys
from aisle.errors import PreconditionFailedError
from aisle.product import Product, path_from_names
from aisle.store import Store
from training.catalogue import LabelledProduct, Skipped, read_catalogue
from training.progress import track


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A base snapshot: its identity (a hash of its content) and what it was made from."""

    id: str
    sha256: str
    products: int
    test_products: int
    sources: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A product of a snapshot; `test` where the shop itself gave it as a test product."""

    labelled: LabelledProduct
    test: bool


def ingest(store: Store, data: FilePath, *, test_data: FilePath | None = None) -> Snapshot:
    """Write a catalogue to the store as a snapshot, unless the store has the same already.

    With `test_data`, that file is the frozen test. Raises DataError where a file cannot be used.
    """
    lines: list[bytes] = []
    sources: list[dict[str, Any]] = []
    for role, path in (("data", data), ("test_data", test_data)):
        if path is not None:
            before, skipped = len(lines), Skipped()
            rows = track(read_catalogue(path, skipped=skipped), f"reading {path.name}")
            lines += [_line(row, test=role == "test_data") for row in rows]
            sources.append(
                {
                    "role": role,
                    "file": path.name,
                    "sha256": _sha256(path),
                    "products": len(lines) - before,
                    "skipped": dict(skipped.reasons),
                }
            )
    content = b"".join(lines)
    digest = hashlib.sha256(content).hexdigest()
    tests = sources[1]["products"] if test_data is not None else 0
    snapshot = Snapshot(digest[:12], digest, len(lines), tests, tuple(sources))
    put_once(store, keys.base_snapshot(snapshot.id, "products.jsonl.gz"), compress(content))
    manifest = json.dumps(asdict(snapshot), indent=2, sort_keys=True).encode()
    # The manifest comes last: a snapshot without one was never finished.
    put_once(store, keys.base_snapshot(snapshot.id, "manifest.json"), manifest)
    return snapshot


def read_snapshot(store: Store, snapshot_id: str) -> tuple[Snapshot, Iterator[SnapshotRow]]:
    """Return a snapshot's facts and its rows, in order."""
    facts = json.loads(store.get(keys.base_snapshot(snapshot_id, "manifest.json")).data)
    data = store.get(keys.base_snapshot(snapshot_id, "products.jsonl.gz")).data
    snapshot = Snapshot(**facts | {"sources": tuple(facts["sources"])})
    return snapshot, map(_row, gzip.decompress(data).splitlines())


def put_once(store: Store, key: str, data: bytes) -> None:
    """Write an object whose key is a hash of its content, where it is not there yet."""
    try:
        store.put(key, data, if_absent=True)
    except PreconditionFailedError:
        return


def compress(content: bytes) -> bytes:
    """Gzip without a time stamp, so that the same content gives the same bytes."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines, keys sorted."""
    return b"".join(
        json.dumps(row, ensure_ascii=True, sort_keys=True).encode() + b"\n" for row in rows
    )


def _line(row: LabelledProduct, *, test: bool) -> bytes:
    category = [{"id": own, "name": node.name} for node, own in zip(row.path, row.ids, strict=True)]
    return json_lines([{**asdict(row.product), "category": category, "test": test}])


def _row(line: bytes) -> SnapshotRow:
    row = json.loads(line)
    test, category = row.pop("test"), row.pop("category")
    ids = tuple(node["id"] for node in category)
    path = path_from_names([node["name"] for node in category], ids)
    return SnapshotRow(LabelledProduct(Product(**row), path, ids), test)


def _sha256(path: FilePath) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
