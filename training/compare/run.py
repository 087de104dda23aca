"""Run candidates on folds, each in a process of its own, and keep what they come to."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import joblib

from aisle.store import Store
from training.compare import results
from training.compare.candidates import CANDIDATES
from training.compare.candidates.base import Candidate
from training.compare.estimate import Estimate
from training.compare.protocol import INPUTS, Catalogue, Table, make_table
from training.compare.worker import CATALOGUE, Job
from training.progress import say

# Libraries that would take all cores: everything is measured on one.
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
_LAST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare: candidates by name, folds and tables."""

    catalogue: Catalogue
    candidates: tuple[str, ...]
    folds: tuple[int, ...]
    tables: tuple[Table, ...]


@dataclass(slots=True)
class Outcome:
    """What came of a plan: what is missing, and why."""

    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def make_plan(
    catalogue: Catalogue,
    *,
    candidates: Sequence[str],
    folds: Sequence[int],
    minima: Sequence[int],
    inputs: Sequence[str] = tuple(INPUTS),
) -> Plan:
    """Return a plan; the members of ensembles join it, and tables of one class are left out."""
    wanted = set(candidates)
    for name in candidates:
        wanted |= set(CANDIDATES[name].members)
    tables = []
    for minimum in minima:
        made = [make_table(catalogue, minimum, name) for name in inputs]
        if None in made:
            say(f"No table with classes of at least {minimum} products: fewer than two are left.")
        tables += [table for table in made if table is not None]
    ordered = tuple(name for name in CANDIDATES if name in wanted)
    return Plan(catalogue, ordered, tuple(folds), tuple(tables))


def run(plan: Plan, store: Store, *, workers: int) -> Outcome:
    """Run what the store does not have yet; return what could not be."""
    outcome = Outcome()
    able = []
    for name in plan.candidates:
        missing = missing_packages(name)
        if missing:
            outcome.missing[name] = f"not installed: {', '.join(missing)}; `make research` does it"
            say(f"{name} is left out, {outcome.missing[name]}.")
        else:
            able.append(name)
    plan = replace(plan, candidates=tuple(able))
    units = [
        unit
        for inputs in dict.fromkeys(table.inputs for table in plan.tables)
        for fold in plan.folds
        if (unit := list(_open_jobs(plan, store, inputs, fold)))
    ]
    if not units:
        return outcome
    with tempfile.TemporaryDirectory(prefix="aisle-compare-") as folder:
        joblib.dump(plan.catalogue, Path(folder, CATALOGUE))
        jobs = [job for unit in units for job in unit]
        with Estimate(len(plan.catalogue.rows), jobs, workers) as estimate:
            runner = _Runner(store, Path(folder), estimate, outcome)
            with ThreadPoolExecutor(workers) as pool:
                try:
                    list(pool.map(runner.run, units))
                except BaseException:
                    runner.stop()
                    raise
    return outcome


def missing_packages(name: str) -> list[str]:
    """Return the distributions that a candidate or its members lack."""
    candidate = CANDIDATES[name]
    return sorted(
        {one for each in (name, *candidate.members) for one in CANDIDATES[each].missing()}
    )


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A candidate on a fold that the store has no results of, for some tables of one input."""

    candidate: Candidate
    inputs: str
    fold: int
    minima: tuple[int, ...]


def _open_jobs(plan: Plan, store: Store, inputs: str, fold: int) -> Iterator[OpenJob]:
    for name in plan.candidates:
        candidate = CANDIDATES[name]
        minima = tuple(
            table.min_products
            for table in plan.tables
            if table.inputs == inputs
            and not store.exists(results.result_key(plan.catalogue.id, candidate, table, fold))
        )
        if minima:
            yield OpenJob(candidate, inputs, fold, minima)


class _Runner:
    """Run the jobs of a fold and its inputs one after the other: they share features."""

    def __init__(self, store: Store, folder: Path, estimate: Estimate, outcome: Outcome) -> None:
        self._store = store
        self._folder = folder
        self._estimate = estimate
        self._outcome = outcome
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, unit: Sequence[OpenJob]) -> None:
        for job in unit:
            if self._stopped:
                return
            with self._estimate.job(job):
                self._run(job)
        for file in (self._folder / f"{unit[0].inputs}-{unit[0].fold}").glob("*"):
            file.unlink()

    def stop(self) -> None:
        """End the processes that are running."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def _run(self, job: OpenJob) -> None:
        name = job.candidate.name
        path = self._folder / f"{name}-{job.inputs}-{job.fold}.json"
        url = self._store.url
        Job(url, str(self._folder), name, job.inputs, job.fold, job.minima).write(path)
        with self._lock:
            if self._stopped:
                return
            process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, "-m", "training.compare.worker", str(path)],
                env=os.environ | _ONE_THREAD,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            self._running.add(process)
        _, errors = process.communicate()
        with self._lock:
            self._running.discard(process)
            if process.returncode and not self._stopped:
                reason = _last_words(errors) or f"it ended with {process.returncode}"
                where = f"{job.inputs}, fold {job.fold}"
                self._outcome.failed[f"{name} ({where})"] = reason
                say(f"{name} failed on {where}: {reason}")


def _last_words(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1][:_LAST_WORDS] if lines else ""
