"""Stage 1, ingest: a shop's catalogue -> an immutable snapshot in the store."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, Self

from aisle.catalogue.columns import Columns
from aisle.catalogue.labelled import Skipped, read_labelled
from aisle.catalogue.products import LabelledProduct
from aisle.catalogue.records import DEFAULT_COLUMNS, Record
from aisle.catalogue.source import local_file
from aisle.errors import DataError, ObjectNotFoundError, PreconditionFailedError
from aisle.feedback import processed
from aisle.product import Product, path_from_names
from aisle.progress import track
from aisle.store import Store, layout

_PRODUCTS: Final = "products.jsonl.gz"
_REJECTS: Final = "rejects.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: its identity (a hash of its content) and what it was made from.

    One with what people said on top names the snapshot below it as `base`; `feedback` then counts
    what became of the events, and lists their ids as `events`.
    """

    id: str
    sha256: str
    products: int
    test_products: int
    sources: tuple[dict[str, Any], ...]
    base: str | None = None
    feedback: dict[str, Any] | None = None

    @property
    def rejected(self) -> int:
        """How many rows could not be used."""
        return sum(sum(source["skipped"].values()) for source in self.sources)


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A product of a snapshot; `test` where the shop itself gave it as a test product.

    `feedback` tells whether people said what it is, and since when: "new" since the champion was
    trained. `replaced` is a product of which people said something else than its shop.
    """

    labelled: LabelledProduct
    test: bool
    feedback: Literal["known", "new"] | None = None
    replaced: bool = False


def ingest(
    store: Store,
    data: str | FilePath,
    *,
    test_data: str | FilePath | None = None,
    columns: Columns = DEFAULT_COLUMNS,
) -> Snapshot:
    """Write a catalogue to the store as a snapshot, unless the store has the same already.

    With `test_data`, that file is the frozen test; it stays whole, with its duplicates. Either may
    be an address. Rows that cannot be used are written beside the snapshot, with the reason; these
    are those of the last ingestion that had any. Raises DataError where a file cannot be used, and
    leaves the store as it was.
    """
    sources: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="aisle-") as folder:
        packed, rejected = FilePath(folder, _PRODUCTS), FilePath(folder, _REJECTS)
        with _Packed(packed) as lines, _Packed(rejected) as rejects:
            for role, source in (("data", data), ("test_data", test_data)):
                if source is not None:
                    sources.append(_ingest(role, source, columns, lines, rejects))
        digest = lines.sha256
        products = [source["products"] for source in sources]
        tests = products[1] if test_data is not None else 0
        snapshot = Snapshot(digest[:12], digest, sum(products), tests, tuple(sources))
        with suppress(PreconditionFailedError):
            store.upload(layout.base_snapshot(snapshot.id, _PRODUCTS), packed, if_absent=True)
        if snapshot.rejected:
            store.upload(layout.base_snapshot(snapshot.id, _REJECTS), rejected)
    # The manifest comes last: a snapshot without one was never finished.
    put_once(store, layout.base_snapshot(snapshot.id, "manifest.json"), _manifest(snapshot))
    return snapshot


def rejects_address(store: Store, snapshot: Snapshot) -> str:
    """Return where the rows are that a snapshot was made without."""
    return f"{store.url}/{layout.base_snapshot(snapshot.id, _REJECTS)}"


def read_snapshot(store: Store, snapshot_id: str) -> tuple[Snapshot, Iterator[SnapshotRow]]:
    """Return a snapshot's facts and its rows, in order."""
    snapshot = snapshot_facts(store, snapshot_id)
    data = store.get(layout.base_snapshot(snapshot_id, _PRODUCTS)).data
    return snapshot, map(_row, gzip.decompress(data).splitlines())


def snapshot_facts(store: Store, snapshot_id: str) -> Snapshot:
    """Return what is known of a snapshot; raise DataError where there is none."""
    try:
        manifest = store.get(layout.base_snapshot(snapshot_id, "manifest.json")).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"There is no snapshot {snapshot_id} in {store.url}. Expected the id that the ingest "
            "stage printed; aisle data snapshots lists those there are."
        ) from error
    facts = json.loads(manifest)
    return Snapshot(**facts | {"sources": tuple(facts["sources"])})


def write_snapshot(
    store: Store,
    rows: Iterable[SnapshotRow],
    *,
    base: Snapshot,
    feedback: dict[str, Any],
    report: dict[str, Any],
) -> Snapshot:
    """Write a snapshot that has feedback on top of a base; `report` goes beside it."""
    content = json_lines(map(_plain, rows))
    # Which events were looked at is part of what it is, even where they changed nothing.
    digest = hashlib.sha256(content + json.dumps(feedback, sort_keys=True).encode()).hexdigest()
    products = content.count(b"\n")
    snapshot = Snapshot(
        digest[:12], digest, products, base.test_products, base.sources, base.id, feedback
    )
    put_once(store, layout.base_snapshot(snapshot.id, _PRODUCTS), compress(content))
    told = json.dumps(report, indent=2, sort_keys=True).encode()
    store.put(layout.base_snapshot(snapshot.id, processed.REPORT), told)
    put_once(store, layout.base_snapshot(snapshot.id, "manifest.json"), _manifest(snapshot))
    return snapshot


def list_snapshots(store: Store) -> Iterator[Snapshot]:
    """Yield the facts of all snapshots of a store that were finished."""
    for key in store.list(layout.base_snapshots_prefix()):
        if key.endswith("/manifest.json"):
            yield snapshot_facts(store, key.split("/")[-2])


def put_once(store: Store, key: str, data: bytes) -> None:
    """Write an object whose content its key stands for, where it is not there yet."""
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


class _Packed:
    """JSON lines on their way into a gzipped file, and the hash of what they are unpacked."""

    def __init__(self, path: FilePath) -> None:
        # Without a time stamp or a name, so that the same content gives the same bytes.
        self._raw = path.open("wb")
        self._file = gzip.GzipFile("", "wb", 6, self._raw, mtime=0)
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    def write(self, row: dict[str, Any]) -> None:
        """Add a row."""
        line = json_lines([row])
        self._digest.update(line)
        self._file.write(line)

    @property
    def sha256(self) -> str:
        """The hash of all lines so far."""
        return self._digest.hexdigest()


def _ingest(
    role: str, source: str | FilePath, columns: Columns, lines: _Packed, rejects: _Packed
) -> dict[str, Any]:
    """Write the rows of one file; return what the manifest says of it."""
    path, shown = local_file(source)
    address = {} if shown == str(path) else {"url": shown}

    def keep(record: Record, reason: str) -> None:
        place = {"file": path.name, "line": record.line, "number": record.number}
        rejects.write({**place, "reason": reason, "row": record.raw})

    skipped, count = Skipped(keep=keep), 0
    rows = read_labelled(path, columns=columns, skipped=skipped, duplicates=role == "test_data")
    for row in track(rows, f"reading {path.name}"):
        lines.write(_row_of(row, test=role == "test_data"))
        count += 1
    return {
        "role": role,
        "file": path.name,
        **address,
        "sha256": _sha256(path),
        "products": count,
        "skipped": dict(skipped.reasons),
    }


def _row_of(row: LabelledProduct, *, test: bool) -> dict[str, Any]:
    category = [{"id": own, "name": node.name} for node, own in zip(row.path, row.ids, strict=True)]
    return {**asdict(row.product), "category": category, "test": test}


def _row(line: bytes) -> SnapshotRow:
    row = json.loads(line)
    test, category = row.pop("test"), row.pop("category")
    feedback, replaced = row.pop("feedback", None), row.pop("replaced", False)
    ids = tuple(node["id"] for node in category)
    path = path_from_names([node["name"] for node in category], ids)
    return SnapshotRow(LabelledProduct(Product(**row), path, ids), test, feedback, replaced)


def _plain(row: SnapshotRow) -> dict[str, Any]:
    """Return a row as plain data; a base's rows look as they did before there was feedback."""
    told = {"feedback": row.feedback} if row.feedback else {}
    return (
        _row_of(row.labelled, test=row.test) | told | ({"replaced": True} if row.replaced else {})
    )


def _manifest(snapshot: Snapshot) -> bytes:
    facts = {name: value for name, value in asdict(snapshot).items() if value is not None}
    return json.dumps(facts, indent=2, sort_keys=True).encode()


def _sha256(path: FilePath) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
