"""Classify a whole catalogue: streamed, in input order, on all cores, and resumable.

Results are appended to `OUT.part` in chunks; the checkpoint `OUT.progress` says how many rows of
which input are safely on disk. A run that is interrupted at any moment resumes from there: it
truncates the part to the checkpoint. Because the chunks are always the same, so is the result.
"""

import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from aisle.catalogue.products import to_product
from aisle.catalogue.records import Record
from aisle.catalogue.results import Result, ResultFormat
from aisle.checks import check
from aisle.errors import DataError, InvalidProductError
from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle.registry import bundles
from aisle.store import open_store

CHUNK: Final = 256
# Chunks queued for each worker: enough to keep it busy, few enough to limit memory.
_AHEAD: Final = 3
CHECKPOINT_SECONDS: Final = 1.0
"""How often a run notes what is safely written."""

_worker_classifier: Classifier


@dataclass(frozen=True, slots=True)
class ModelReference:
    """The model that classifies: its version, and the store that has it."""

    store_url: str
    version: str


def files_of(target: Path) -> tuple[Path, ...]:
    """Return the files that a run writes or overwrites: the target and its working files."""
    suffixes = ("", ".part", ".progress", ".progress.new")
    return tuple(target.with_name(target.name + suffix) for suffix in suffixes)


class Bulk:
    """One run over a catalogue that writes its results to a file.

    `identity` is everything that the result depends on. A run resumes an earlier one only if their
    identities are equal.
    """

    def __init__(self, target: Path, identity: dict[str, Any]) -> None:
        self._target, self._part, self._checkpoint, self._new_checkpoint = files_of(target)
        self._identity = identity
        self._format = ResultFormat.of(target.name)

    def done_before(self) -> int:
        """Return how many rows an earlier run with the same identity has written, or 0."""
        try:
            return self._read_checkpoint()[0]
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _read_checkpoint(self) -> tuple[int, int]:
        """Return the rows and bytes safely on disk, or (0, 0) if the identity differs."""
        state = json.loads(self._checkpoint.read_bytes())
        rows, size = int(state["rows"]), int(state["size"])
        same = state["identity"] == self._identity and self._part.stat().st_size >= size
        return (rows, size) if same else (0, 0)

    def run(
        self,
        records: Iterable[Record],
        *,
        model: ModelReference,
        workers: int,
        advance: Callable[[int], None],
    ) -> int:
        """Classify all records, write the results, and return how many records were unusable.

        `advance` is called with the number of rows in each chunk that is written. Raises DataError
        if the results cannot be written.
        """
        rows = self.done_before()
        failed, remembered = 0, time.monotonic()
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with self._part.open("r+b" if rows else "wb") as out:
                if rows:
                    out.truncate(self._read_checkpoint()[1])
                    out.seek(0, os.SEEK_END)
                else:
                    out.write(self._format.header())
                advance(rows)
                chunks = _chunks(islice(records, rows, None))
                for data, size, unusable in self._classify_all(chunks, model, workers):
                    out.write(data)
                    rows += size
                    failed += unusable
                    if time.monotonic() > remembered + CHECKPOINT_SECONDS:
                        out.flush()
                        os.fsync(out.fileno())
                        self._write_checkpoint(rows, out.tell())
                        remembered = time.monotonic()
                    advance(size)
                out.flush()
                os.fsync(out.fileno())
            self._part.replace(self._target)
            self._checkpoint.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(
                f"The results cannot be written to {self._target}: {error.strerror}. Expected a "
                "writable folder with enough space. Choose another folder, or free some space and "
                "run the command again."
            ) from error
        return failed

    def _write_checkpoint(self, rows: int, size: int) -> None:
        state = {"identity": self._identity, "rows": rows, "size": size}
        self._new_checkpoint.write_text(json.dumps(state), encoding="utf-8")
        self._new_checkpoint.replace(self._checkpoint)

    def _classify_all(
        self, chunks: Iterator[list[Record]], model: ModelReference, workers: int
    ) -> Iterator[tuple[bytes, int, int]]:
        """Yield for each chunk, in order: its bytes, its rows, and how many were unusable."""
        if workers == 1:
            _load(model)
            for chunk in chunks:
                yield _classify(chunk, self._format)
            return
        # Spawned, not forked: a fork would copy locks that other threads may hold.
        pool = ProcessPoolExecutor(
            workers,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(model,),
        )
        with pool:
            pending: deque[Future[tuple[bytes, int, int]]] = deque()
            try:
                for chunk in chunks:
                    pending.append(pool.submit(_classify, chunk, self._format))
                    if len(pending) >= _AHEAD * workers:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk


def _start_worker(model: ModelReference) -> None:
    # Ctrl-C reaches every process of the group; the parent shuts the workers down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load(model)


def _load(model: ModelReference) -> None:
    global _worker_classifier  # noqa: PLW0603  # one model per process, loaded once
    store = open_store(model.store_url)
    bundle = bundles.current_bundle(store)
    if bundle.manifest.model_version != model.version:  # another model was published meanwhile
        bundle = bundles.fetch_bundle(store, model.version)
    _worker_classifier = Classifier(bundle)


def _classify(chunk: list[Record], result_format: ResultFormat) -> tuple[bytes, int, int]:
    checked = [_product_or_error(record) for record in chunk]
    products = [product for product in checked if isinstance(product, Product)]
    predictions = iter(_worker_classifier.predict(products, top_k=0, explain=False))
    results = [
        Result(
            line=record.line,
            sku=record.fields.get("sku"),
            name=outcome.name if isinstance(outcome, Product) else None,
            prediction=next(predictions) if isinstance(outcome, Product) else None,
            error=None if isinstance(outcome, Product) else outcome,
        )
        for record, outcome in zip(chunk, checked, strict=True)
    ]
    return result_format.encode(results), len(chunk), len(chunk) - len(products)


def _product_or_error(record: Record) -> Product | str:
    """Return a row's product, or the reason why it cannot be classified."""
    try:
        return check(to_product(record))
    except InvalidProductError as error:
        return str(error)
