"""Classify a whole catalogue: streamed, in the rows' order, on all cores, and resumable.

Results go to `OUT.part`, chunk by chunk; beside it, `OUT.progress` says how many rows of which
input are safely written. A run that was ended at any moment goes on from there: the part is cut
back to what is known to be whole, and since chunks are the same every time, so is the result.
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
# Chunks under way for each worker: enough to keep it busy, few enough to stay small.
_AHEAD: Final = 3
CHECKPOINT_SECONDS: Final = 1.0
"""How often a run notes what is safely written."""

_worker_classifier: Classifier


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Which model classifies: a version, and the store that it serves from."""

    store_url: str
    version: str


def files_of(target: Path) -> tuple[Path, ...]:
    """Return the files that a run writes, perhaps over others: the target and what it needs."""
    ends = ("", ".part", ".progress", ".progress.new")
    return tuple(target.with_name(target.name + end) for end in ends)


class Bulk:
    """One run over a catalogue, writing to a file.

    `identity` is all that the result depends on: only a run of the same may go on from another.
    """

    def __init__(self, target: Path, identity: dict[str, Any]) -> None:
        self._target, self._part, self._state, self._fresh_state = files_of(target)
        self._identity = identity
        self._format = ResultFormat.of(target.name)

    def done_before(self) -> int:
        """Return how many rows an earlier run of the same has written; 0 to begin anew."""
        try:
            return self._known()[0]
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _known(self) -> tuple[int, int]:
        """Return the rows and the bytes that are safely written; (0, 0) for another run's."""
        state = json.loads(self._state.read_bytes())
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
        """Classify all records and put the results in place; return how many could not be used.

        `advance` is told the number of rows each time that a chunk is written.
        """
        rows = self.done_before()
        failed, remembered = 0, time.monotonic()
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with self._part.open("r+b" if rows else "wb") as out:
                if rows:
                    out.truncate(self._known()[1])
                    out.seek(0, os.SEEK_END)
                else:
                    out.write(self._format.header())
                advance(rows)
                chunks = _chunks(islice(records, rows, None))
                for data, size, bad in self._classified(chunks, model, workers):
                    out.write(data)
                    rows += size
                    failed += bad
                    if time.monotonic() > remembered + CHECKPOINT_SECONDS:
                        out.flush()
                        os.fsync(out.fileno())
                        self._remember(rows, out.tell())
                        remembered = time.monotonic()
                    advance(size)
                out.flush()
                os.fsync(out.fileno())
            self._part.replace(self._target)
            self._state.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(
                f"The results cannot be written to {self._target}: {error.strerror}. Expected a "
                "place where files can be made. Choose another, or make room and run it again."
            ) from error
        return failed

    def _remember(self, rows: int, size: int) -> None:
        state = {"identity": self._identity, "rows": rows, "size": size}
        self._fresh_state.write_text(json.dumps(state), encoding="utf-8")
        self._fresh_state.replace(self._state)

    def _classified(
        self, chunks: Iterator[list[Record]], model: ModelReference, workers: int
    ) -> Iterator[tuple[bytes, int, int]]:
        """Yield each chunk's bytes, its rows, and how many of these could not be used, in order."""
        if workers == 1:
            _load(model)
            for chunk in chunks:
                yield _classify(chunk, self._format)
            return
        # Fresh processes: a fork would copy locks that other threads of this one may hold.
        pool = ProcessPoolExecutor(
            workers,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(model,),
        )
        with pool:
            under_way: deque[Future[tuple[bytes, int, int]]] = deque()
            try:
                for chunk in chunks:
                    under_way.append(pool.submit(_classify, chunk, self._format))
                    if len(under_way) >= _AHEAD * workers:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk


def _start_worker(model: ModelReference) -> None:
    # Ctrl-C reaches the whole group; the first process ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load(model)


def _load(model: ModelReference) -> None:
    global _worker_classifier  # noqa: PLW0603  # one model a process, loaded once
    store = open_store(model.store_url)
    found = bundles.current_bundle(store)
    if found.manifest.model_version != model.version:  # another was published meanwhile
        found = bundles.fetch_bundle(store, model.version)
    _worker_classifier = Classifier(found)


def _classify(chunk: list[Record], how: ResultFormat) -> tuple[bytes, int, int]:
    checked = [_usable(record) for record in chunk]
    products = [each for each in checked if isinstance(each, Product)]
    predictions = iter(_worker_classifier.predict(products, top_k=0, explain=False))
    results = [
        Result(
            line=record.line,
            sku=record.fields.get("sku"),
            name=each.name if isinstance(each, Product) else None,
            prediction=next(predictions) if isinstance(each, Product) else None,
            error=None if isinstance(each, Product) else each,
        )
        for record, each in zip(chunk, checked, strict=True)
    ]
    return how.encode(results), len(chunk), len(chunk) - len(products)


def _usable(record: Record) -> Product | str:
    """Return a row's product, or why it cannot be classified."""
    try:
        return check(to_product(record))
    except InvalidProductError as error:
        return str(error)
