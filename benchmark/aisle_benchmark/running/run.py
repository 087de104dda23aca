"""Run candidates on folds, each in a separate process, and store their results."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import joblib

from aisle.progress import say
from aisle.store import Store
from aisle_benchmark import results
from aisle_benchmark.candidates import named
from aisle_benchmark.candidates.base import Candidate
from aisle_benchmark.finding import Section
from aisle_benchmark.plan import Plan, PlanOutcome
from aisle_benchmark.research import SECTIONS
from aisle_benchmark.running.estimate import Estimate
from aisle_benchmark.running.worker import CATALOGUE, Task, shared_folder

# For libraries that would use all cores: everything is measured on one.
_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "LOKY_MAX_CPU_COUNT",
        "TOKENIZERS_PARALLELISM",
    ),
    "1",
)
WORKER = ("-m", "aisle_benchmark.running.worker")
_MAX_REASON = 800


def run(plan: Plan, store: Store, *, workers: int) -> PlanOutcome:
    """Run the tasks and sections without results in the store; return what is missing or failed."""
    outcome = PlanOutcome()
    able = []
    for name in plan.candidates:
        missing = missing_packages(name)
        if missing:
            outcome.missing[name] = _not_installed(missing, named(name).install)
            say(f"Skipping {name}: {outcome.missing[name]}.")
        else:
            able.append(name)
    plan = replace(plan, candidates=tuple(able))
    units: list[list[OpenTask | OpenSection]] = [
        list(_open_tasks(plan, store, inputs, fold))
        for inputs in dict.fromkeys(table.inputs for table in plan.tables)
        for fold in plan.folds
    ]
    units += [[section] for section in _open_sections(plan, store, outcome)]
    units = [unit for unit in units if unit]
    if not units:
        return outcome
    with tempfile.TemporaryDirectory(prefix="aisle-compare-") as folder:
        joblib.dump(plan.catalogue, Path(folder, CATALOGUE))
        tasks = [task for unit in units for task in unit]
        with Estimate(len(plan.catalogue.rows), tasks, workers) as estimate:
            runner = _Runner(store, Path(folder), estimate, outcome)
            with ThreadPoolExecutor(workers) as pool:
                try:
                    list(pool.map(runner.run, units))
                except BaseException:
                    runner.stop()
                    raise
    # A process may exit with success without having written a result.
    for inputs, fold in {(table.inputs, fold) for table in plan.tables for fold in plan.folds}:
        for task in _open_tasks(plan, store, inputs, fold):
            if task.label not in outcome.failed:
                outcome.failed[task.label] = "it ended without a result"
                say(f"{task.label} failed: it ended without a result")
    return outcome


def missing_packages(name: str) -> list[str]:
    """Return the missing distributions of a candidate and its members."""
    members = (name, *named(name).members)
    return sorted({package for member in members for package in named(member).missing()})


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A candidate on a fold, for the tables of one input without results in the store."""

    candidate: Candidate
    inputs: str
    fold: int
    minima: tuple[int, ...]

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.candidate.name

    @property
    def label(self) -> str:
        """The candidate, its inputs and the fold."""
        return f"{self.name}, {self.inputs}, fold {self.fold}"

    @property
    def seconds(self) -> float:
        """The typical seconds of the candidate."""
        return self.candidate.seconds

    def for_worker(self, store_url: str, folder: Path) -> Task:
        """Return the task for the worker."""
        return Task(store_url, str(folder), self.name, self.inputs, self.fold, self.minima)


@dataclass(frozen=True, slots=True)
class OpenSection:
    """A research section without a finding in the store."""

    section: Section

    @property
    def name(self) -> str:
        """The section's name."""
        return self.section.name

    @property
    def label(self) -> str:
        """The section's name, marked as research."""
        return f"research: {self.name}"

    @property
    def seconds(self) -> float:
        """The typical seconds of the section."""
        return self.section.seconds

    def for_worker(self, store_url: str, folder: Path) -> Task:
        """Return the task for the worker."""
        return Task(store_url, str(folder), section=self.name)


def _open_tasks(plan: Plan, store: Store, inputs: str, fold: int) -> Iterator[OpenTask]:
    for name in plan.candidates:
        candidate = named(name)
        minima = tuple(
            table.min_products
            for table in plan.tables
            if table.inputs == inputs
            and not store.exists(results.result_key(plan.catalogue.id, candidate, table, fold))
        )
        if minima:
            yield OpenTask(candidate, inputs, fold, minima)


def _open_sections(plan: Plan, store: Store, outcome: PlanOutcome) -> Iterator[OpenSection]:
    for name in plan.sections:
        section = SECTIONS[name]
        missing = [package for module, package in section.packages if find_spec(module) is None]
        if missing:
            outcome.missing[f"research: {name}"] = _not_installed(missing)
            say(f"Skipping section {name}: {_not_installed(missing)}.")
        elif not store.exists(results.finding_key(plan.catalogue.id, section)):
            yield OpenSection(section)


def _not_installed(missing: Sequence[str], install: str = Candidate.install) -> str:
    return f"not installed: {', '.join(missing)}; `{install}` installs it"


class _Runner:
    """Run the tasks of a fold and input one after another, because they share features."""

    def __init__(
        self, store: Store, folder: Path, estimate: Estimate, outcome: PlanOutcome
    ) -> None:
        self._store = store
        self._folder = folder
        self._estimate = estimate
        self._outcome = outcome
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, unit: Sequence[OpenTask | OpenSection]) -> None:
        for task in unit:
            if self._stopped:
                return
            with self._estimate.timed(task):
                self._run(task)
        first = unit[0]
        if isinstance(first, OpenTask):
            shutil.rmtree(shared_folder(self._folder, first.inputs, first.fold), ignore_errors=True)

    def stop(self) -> None:
        """Terminate the running processes."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def _run(self, task: OpenTask | OpenSection) -> None:
        path = self._folder / f"{uuid4().hex}.json"
        task.for_worker(self._store.url, self._folder).write(path)
        with self._lock:
            if self._stopped:
                return
            alone = isinstance(task, OpenTask) and task.candidate.all_cores
            process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, *WORKER, str(path)],
                env=os.environ | ({} if alone else _ONE_THREAD),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if alone else subprocess.PIPE,
                text=True,
            )
            self._running.add(process)
        _, errors = process.communicate()
        with self._lock:
            self._running.discard(process)
            if process.returncode and not self._stopped:
                reason = _last_line(errors) or f"it ended with exit code {process.returncode}"
                self._outcome.failed[task.label] = reason
                say(f"{task.label} failed: {reason}")


def _last_line(errors: str | None) -> str:
    lines = [line.strip() for line in (errors or "").splitlines() if line.strip()]
    return lines[-1][:_MAX_REASON] if lines else ""
