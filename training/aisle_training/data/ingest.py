"""Stage 1, ingest: a shop's catalogue -> an immutable snapshot in the store."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, NotRequired, Self, TypeVar
from zipfile import BadZipFile

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from aisle.catalogue.columns import Columns
from aisle.catalogue.labelled import Skipped, read_labelled
from aisle.catalogue.products import LabelledProduct
from aisle.catalogue.records import DEFAULT_COLUMNS, Record
from aisle.catalogue.source import local_file
from aisle.errors import (
    DataError,
    MalformedObjectError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
from aisle.feedback import processed
from aisle.json_text import parse_json
from aisle.product import Product, path_from_names
from aisle.progress import track
from aisle.store import Store, layout
from aisle.store.typed import parse

_PRODUCTS: Final = "products.jsonl.gz"
_REJECTS: Final = "rejects.jsonl.gz"
_INGEST_AGAIN: Final = "Delete it, then ingest the same data again."

T = TypeVar("T")


class SourceFacts(TypedDict):
    """A file of a snapshot; `skipped` counts its unusable rows by reason."""

    role: str
    file: str
    url: NotRequired[str]
    sha256: str
    products: int
    skipped: dict[str, int]


class FeedbackFacts(TypedDict):
    """The feedback of a snapshot, in numbers, and the ids of its events.

    `accepted` are the events that are learnt from, `states` the number of events in each state.
    """

    events: list[str]
    accepted: list[str]
    states: dict[str, int]
    products: int
    contradictions: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: its id (a hash of its content) and what it was made from.

    A snapshot with feedback names the snapshot without it as `base`.
    """

    id: str
    sha256: str
    products: int
    test_products: int
    sources: tuple[SourceFacts, ...]
    base: str | None = None
    feedback: FeedbackFacts | None = None

    @property
    def rejected(self) -> int:
        """The number of unusable rows."""
        return sum(sum(source["skipped"].values()) for source in self.sources)


_SNAPSHOT: Final = TypeAdapter(Snapshot)


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A product of a snapshot; `test` where it comes from the shop's own test file.

    `feedback` is set where the label comes from feedback, and is "new" where the champion was not
    trained on that. `replaced` marks a product of the shop that feedback labels too, in a row of
    its own.
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
    """Write a catalogue to the store as a snapshot; does nothing where the store has it already.

    With `test_data`, that file is the frozen test; it keeps its duplicates. Either may be a URL.
    Unusable rows are written beside the snapshot, with the reason; a later ingestion of the same
    products that has unusable rows replaces them. Raises DataError for an unusable file, and then
    leaves the store unchanged.
    """
    sources: list[SourceFacts] = []
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
    # The manifest comes last: a snapshot without one is incomplete.
    put_once(store, layout.base_snapshot(snapshot.id, "manifest.json"), _manifest(snapshot))
    return snapshot


def rejects_address(store: Store, snapshot: Snapshot) -> str:
    """Return the address of a snapshot's unusable rows."""
    return f"{store.url}/{layout.base_snapshot(snapshot.id, _REJECTS)}"


def read_snapshot(store: Store, snapshot_id: str) -> tuple[Snapshot, Iterator[SnapshotRow]]:
    """Return a snapshot's facts and its rows, in order.

    Raises DataError where there is no such snapshot, MalformedObjectError where it is damaged.
    """
    snapshot = snapshot_facts(store, snapshot_id)
    key = layout.base_snapshot(snapshot_id, _PRODUCTS)
    return snapshot, read_json_lines(key, store.get(key).data, _row)


def snapshot_facts(store: Store, snapshot_id: str) -> Snapshot:
    """Return the facts in a snapshot's manifest.

    Raises DataError where there is no such snapshot, MalformedObjectError where its manifest is
    damaged.
    """
    key = layout.base_snapshot(snapshot_id, "manifest.json")
    try:
        manifest = store.get(key).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"There is no snapshot {snapshot_id} in {store.url}. Expected the id that the ingest "
            "stage printed; aisle data snapshots lists all ids."
        ) from error
    return parse(key, manifest, _SNAPSHOT, advice=_INGEST_AGAIN)


def write_snapshot(
    store: Store,
    rows: Iterable[SnapshotRow],
    *,
    base: Snapshot,
    feedback: FeedbackFacts,
    report: dict[str, Any],
) -> Snapshot:
    """Write a snapshot of a base with feedback, and `report` beside it."""
    content = json_lines(map(_plain, rows))
    # The feedback's facts are part of the identity, even where no row changes.
    digest = hashlib.sha256(content + json.dumps(feedback, sort_keys=True).encode()).hexdigest()
    products = content.count(b"\n")
    snapshot = Snapshot(
        digest[:12], digest, products, base.test_products, base.sources, base.id, feedback
    )
    put_once(store, layout.base_snapshot(snapshot.id, _PRODUCTS), compress(content))
    report_json = json.dumps(report, indent=2, sort_keys=True).encode()
    store.put(layout.base_snapshot(snapshot.id, processed.REPORT), report_json)
    put_once(store, layout.base_snapshot(snapshot.id, "manifest.json"), _manifest(snapshot))
    return snapshot


def list_snapshots(store: Store) -> Iterator[Snapshot]:
    """Yield the facts of all complete snapshots of a store.

    Raises MalformedObjectError for a damaged manifest.
    """
    for key in store.list(layout.base_snapshots_prefix()):
        if key.endswith("/manifest.json"):
            yield snapshot_facts(store, key.split("/")[-2])


def put_once(store: Store, key: str, data: bytes) -> None:
    """Write an object whose key identifies its content, unless it exists already."""
    try:
        store.put(key, data, if_absent=True)
    except PreconditionFailedError:
        return


def compress(content: bytes) -> bytes:
    """Gzip without a time stamp, so that equal content gives equal bytes."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines with sorted keys."""
    return b"".join(
        json.dumps(row, ensure_ascii=True, sort_keys=True).encode() + b"\n" for row in rows
    )


def read_json_lines(
    key: str, data: bytes, make: Callable[[dict[str, Any]], T], *, advice: str = _INGEST_AGAIN
) -> Iterator[T]:
    """Yield what `make` returns for each line of gzipped JSON lines.

    Raises MalformedObjectError, which names the object and ends with `advice`, for whatever cannot
    be read.
    """
    with decoding(key, f"Expected gzipped JSON lines as Aisle writes them. {advice}"):
        for line in gzip.decompress(data).splitlines():
            yield make(parse_json(line))


@contextmanager
def decoding(key: str, advice: str) -> Iterator[None]:
    """Raise MalformedObjectError, which names the object, for whatever cannot be decoded."""
    try:
        yield
    except (
        AttributeError,
        BadZipFile,
        EOFError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise MalformedObjectError(
            f"{key} cannot be read: {type(error).__name__}: {error}. {advice}"
        ) from error


class _Packed:
    """A gzipped file of JSON lines that is being written, with the hash of its unpacked content."""

    def __init__(self, path: FilePath) -> None:
        # No time stamp and no name, so that equal content gives equal bytes.
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
        """The hash of all lines written so far."""
        return self._digest.hexdigest()


def _ingest(
    role: str, source: str | FilePath, columns: Columns, lines: _Packed, rejects: _Packed
) -> SourceFacts:
    """Write the rows of one file; return its facts for the manifest."""
    path, shown = local_file(source)

    def keep(record: Record, reason: str) -> None:
        place = {"file": path.name, "line": record.line, "number": record.number}
        rejects.write({**place, "reason": reason, "row": record.raw})

    skipped, count = Skipped(keep=keep), 0
    rows = read_labelled(path, columns=columns, skipped=skipped, duplicates=role == "test_data")
    for row in track(rows, f"reading {path.name}"):
        lines.write(_row_of(row, test=role == "test_data"))
        count += 1
    facts: SourceFacts = {
        "role": role,
        "file": path.name,
        "sha256": _sha256(path),
        "products": count,
        "skipped": dict(skipped.reasons),
    }
    return facts if shown == str(path) else {**facts, "url": shown}


def _row_of(row: LabelledProduct, *, test: bool) -> dict[str, Any]:
    category = [
        {"id": category_id, "name": node.name}
        for node, category_id in zip(row.path, row.ids, strict=True)
    ]
    return {**asdict(row.product), "category": category, "test": test}


def _row(row: dict[str, Any]) -> SnapshotRow:
    test, category = row.pop("test"), row.pop("category")
    feedback, replaced = row.pop("feedback", None), row.pop("replaced", False)
    ids = tuple(node["id"] for node in category)
    path = path_from_names([node["name"] for node in category], ids)
    return SnapshotRow(LabelledProduct(Product(**row), path, ids), test, feedback, replaced)


def _plain(row: SnapshotRow) -> dict[str, Any]:
    """Return a row as plain data; a row without feedback is the same as in the base."""
    feedback = {"feedback": row.feedback} if row.feedback else {}
    replaced = {"replaced": True} if row.replaced else {}
    return _row_of(row.labelled, test=row.test) | feedback | replaced


def _manifest(snapshot: Snapshot) -> bytes:
    facts = {name: value for name, value in asdict(snapshot).items() if value is not None}
    return json.dumps(facts, indent=2, sort_keys=True).encode()


def _sha256(path: FilePath) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
