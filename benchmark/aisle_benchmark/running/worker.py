"""One candidate on one fold, in a process: `python -m aisle_benchmark.running.worker TASK`.

The process is separate, so that its memory can be measured and its failure stops no other.
"""

import fcntl
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from aisle.errors import AisleError
from aisle.product import Product
from aisle.store import Store, open_store
from aisle_benchmark import results
from aisle_benchmark.candidates import named
from aisle_benchmark.candidates.base import Candidate, Fitted, FoldedEarly, FoldedLate, Training
from aisle_benchmark.candidates.features import Shared
from aisle_benchmark.clock import processor_seconds
from aisle_benchmark.protocol import Catalogue, Table, make_table
from aisle_benchmark.research import SECTIONS
from aisle_benchmark.results import Costs, FoldResult

CATALOGUE = "catalogue.joblib"
_SINGLE_PRODUCTS = 200
_BATCH_PRODUCTS = 500
_WARM_UP = 5
_SMALLEST_CLOCK_STEP = 1e-9


@dataclass(frozen=True, slots=True)
class Task:
    """What to run: a candidate on a fold, for some tables of one input; or a research section."""

    store_url: str
    folder: str
    candidate: str = ""
    inputs: str = ""
    fold: int = 0
    minima: tuple[int, ...] = ()
    section: str = ""

    def write(self, path: Path) -> None:
        """Write the task to a file, for the worker to read."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Task":
        """Read a task that `write` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        return cls(**fields | {"minima": tuple(fields["minima"])})


def shared_folder(folder: Path, inputs: str, fold: int) -> Path:
    """Return the folder of the shared work of the candidates on a fold."""
    return folder / f"{inputs}-{fold}"


def run(task: Task) -> None:
    """Run a task, and store each result as soon as it is complete."""
    store = open_store(task.store_url)
    catalogue: Catalogue = joblib.load(Path(task.folder, CATALOGUE))
    if task.section:
        section = SECTIONS[task.section]
        finding = section.answer(catalogue)
        results.save_finding(store, results.finding_key(catalogue.id, section), finding)
        return
    candidate = named(task.candidate)
    tables = [
        table
        for minimum in task.minima
        if (table := make_table(catalogue, minimum, task.inputs)) is not None
    ]
    _Run(store, catalogue, task, candidate).all(tables)


class _Run:
    """A candidate on a fold."""

    def __init__(
        self, store: Store, catalogue: Catalogue, task: Task, candidate: Candidate
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._task = task
        self._candidate = candidate
        self._clock = time.perf_counter if candidate.waits else processor_seconds
        self._train, self._test = catalogue.split(task.fold)
        self._products = catalogue.products(self._test, task.inputs)

    def all(self, tables: Sequence[Table]) -> None:
        candidate = self._candidate
        if isinstance(candidate, FoldedLate):
            self._folded_late(candidate, tables)
        elif isinstance(candidate, FoldedEarly):
            for table in tables:
                self._trained(candidate, table)
        else:
            for table in tables:
                self._combined(table)

    def _combined(self, table: Table) -> None:
        members = [
            results.load(self._store, self._key(named(name), table))
            for name in self._candidate.members
        ]
        self._save(table, results.combine(members))

    def _trained(self, candidate: FoldedEarly, table: Table) -> None:
        _reset_peak()
        prepared, seconds = self._prepared()
        training, present = self._training(table)
        if prepared is not None:
            training = _with(training, prepared[self._train])
        began = self._clock()
        fitted = candidate.fit(training)
        # Shared work that another candidate did counts, too; the clock has measured the rest.
        seconds += self._clock() - began + training.shared.borrowed
        test = None if prepared is None else prepared[self._test]
        scores = np.asarray(candidate.score(fitted, self._products, test), np.float32)
        probabilities = np.zeros((len(self._test), len(table.classes)), np.float32)
        probabilities[:, present] = scores
        self._save(table, self._result(fitted, probabilities, seconds))

    def _folded_late(self, candidate: FoldedLate, tables: Sequence[Table]) -> None:
        _reset_peak()
        training = self._training_of(self._catalogue.labels, "fine")
        began = self._clock()
        fitted, labels = candidate.fit(training)
        seconds = self._clock() - began
        fine = np.asarray(fitted.predict_proba(self._products), np.float32)
        result = self._result(fitted, fine, seconds)
        rows = [self._catalogue.rows[row] for row in self._test]
        test = [
            type(row)(product, row.path, row.ids)
            for row, product in zip(rows, self._products, strict=True)
        ]
        extras = candidate.extras(fitted, test)
        for table in tables:
            folded = {
                name: table.fold(labels, array) if name.startswith("situation") else array
                for name, array in extras.items()
            }
            self._save(
                table, FoldResult(self._test, table.fold(labels, fine), result.costs, folded)
            )

    def _training(self, table: Table) -> tuple[Training, NDArray[np.int64]]:
        """Return the training products, and the indices of the classes that occur in them."""
        targets = table.targets([self._catalogue.labels[row] for row in self._train])
        present, labels = np.unique(targets, return_inverse=True)
        names = [table.classes[number] for number in present]
        return self._make_training(labels.astype(np.int64), names, table.name), present

    def _training_of(self, labels: Sequence[str], table: str) -> Training:
        names, numbers = np.unique([labels[row] for row in self._train], return_inverse=True)
        return self._make_training(numbers.astype(np.int64), names.tolist(), table)

    def _make_training(
        self, labels: NDArray[np.int64], names: Sequence[str], table: str
    ) -> Training:
        rows, task = self._train, self._task
        folder = shared_folder(Path(task.folder), task.inputs, task.fold)
        return Training(
            rows=[self._catalogue.rows[row] for row in rows],
            labels=labels,
            names=names,
            groups=[self._catalogue.groups[row] for row in rows],
            shared=Shared(folder, self._catalogue.products(rows, task.inputs)),
            table=table,
        )

    def _prepared(self) -> tuple[Any, float]:
        """Return the candidate's prepared data of all products, and the fold's share of the time.

        All folds share the data, so the lock makes the second process wait for the first.
        """
        if not self._candidate.prepares:
            return None, 0.0
        folder, name = Path(self._task.folder), self._candidate.name
        with (folder / f"{name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            all_rows = np.arange(len(self._catalogue.rows))
            products = self._catalogue.products(all_rows, "text")
            shared = Shared(folder, products)
            prepared = shared.once(name, lambda: self._candidate.prepare(products))
        return prepared, shared.seconds * len(self._train) / len(all_rows)

    def _result(
        self, fitted: Fitted, probabilities: NDArray[np.float32], seconds: float
    ) -> FoldResult:
        # Before `size_bytes` serialises the model.
        peak = _peak_bytes()
        p50, p99 = latency(fitted.predict_proba, self._products, self._clock)
        costs = Costs(
            fit_seconds=seconds,
            p50_ms=p50,
            p99_ms=p99,
            batch_per_second=rate(fitted.predict_proba, self._products, self._clock),
            size_bytes=fitted.size_bytes(),
            peak_bytes=peak,
        )
        return FoldResult(self._test, probabilities, costs)

    def _save(self, table: Table, result: FoldResult) -> None:
        results.save(self._store, self._key(self._candidate, table), result)

    def _key(self, candidate: Candidate, table: Table) -> str:
        return results.result_key(self._catalogue.id, candidate, table, self._task.fold)


def latency(
    predict: Callable[[Sequence[Product]], Any],
    products: Sequence[Product],
    clock: Callable[[], float],
) -> tuple[float, float]:
    """Return the p50 and p99 latency of single products, in milliseconds."""
    step = max(1, len(products) // _SINGLE_PRODUCTS)
    singles = products[::step][:_SINGLE_PRODUCTS]
    for product in singles[:_WARM_UP]:
        predict([product])
    times = []
    for product in singles:
        began = clock()
        predict([product])
        times.append(clock() - began)
    p50, p99 = np.percentile(times, (50, 99))
    return float(p50) * 1e3, float(p99) * 1e3


def rate(
    predict: Callable[[Sequence[Product]], Any],
    products: Sequence[Product],
    clock: Callable[[], float],
) -> float:
    """Return the products per second in one batch."""
    batch = products[:_BATCH_PRODUCTS]
    began = clock()
    predict(batch)
    return len(batch) / max(_SMALLEST_CLOCK_STEP, clock() - began)


def _with(training: Training, prepared: Any) -> Training:  # noqa: ANN401  # any array
    return replace(training, prepared=prepared)


def _reset_peak() -> None:
    """Reset the peak memory, if the kernel supports it (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_bytes() -> int:
    """Return the peak memory of this process; 0 if the system does not report it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def main() -> None:
    """Run the task in the file of the first argument; exit with the message of a known error."""
    warnings.simplefilter("ignore")  # convergence and similar warnings of other libraries
    try:
        run(Task.read(Path(sys.argv[1])))
    except AisleError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
