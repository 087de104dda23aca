"""Run candidates on folds, each in a process of its own, and keep what they come to."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import joblib

from aisle.errors import DataError
from aisle.progress import say
from aisle.store import Store
from aisle_benchmark.candidates import CANDIDATES, named
from aisle_benchmark.candidates.base import Candidate
from aisle_benchmark.protocol import (
    INPUTS,
    LEVEL,
    MINIMA,
    UNFOLDED,
    Catalogue,
    Left,
    Table,
    make_table,
    too_little_left,
)
from aisle_benchmark.research import SECTIONS
from aisle_benchmark.research.finding import Section
from aisle_benchmark.running import results
from aisle_benchmark.running.estimate import Estimate
from aisle_benchmark.running.worker import CATALOGUE, Job, shared_folder

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
WORKER = ("-m", "aisle_benchmark.running.worker")
_LAST_WORDS = 800


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare: candidates by name, folds and tables; and research sections to answer.

    `unfolded` is the usual folding that the catalogue is too small for.
    """

    catalogue: Catalogue
    candidates: tuple[str, ...]
    folds: tuple[int, ...]
    tables: tuple[Table, ...]
    sections: tuple[str, ...] = ()
    unfolded: tuple[Left, ...] = ()


@dataclass(slots=True)
class PlanOutcome:
    """What came of a plan: what is missing, and why."""

    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def make_plan(
    catalogue: Catalogue,
    *,
    candidates: Sequence[str],
    folds: Sequence[int],
    minima: Sequence[int] | None = None,
) -> Plan:
    """Return a plan; the members of ensembles join it, and tables of one class are left out.

    Without `minima`, the tables are the usual ones, unfolded where that leaves a small shop less
    than half. Raise DataError where no table is left.
    """
    wanted = set(candidates)
    for name in candidates:
        wanted |= set(named(name).members)
    unfolded: list[Left] = []
    if minima is None:
        unfolded = too_little_left(catalogue)
        for left in unfolded:
            say(f"{unfolded_because(left)} Compared unfolded instead.")
        small = {left.min_products for left in unfolded}
        minima = list(dict.fromkeys(UNFOLDED if one in small else one for one in MINIMA))
    tables = []
    for minimum in minima:
        made = [make_table(catalogue, minimum, name) for name in INPUTS]
        if None in made:
            say(f"No table with classes of at least {minimum} products: fewer than two are left.")
        tables += [table for table in made if table is not None]
    outside = [name for name in dict.fromkeys(candidates) if name not in CANDIDATES]
    ordered = (*(name for name in CANDIDATES if name in wanted), *outside)
    if not tables:
        raise DataError(
            f"There is nothing to compare: the {len(catalogue.rows):,} products have "
            f"{len(set(catalogue.labels))} categories down to level {LEVEL}, and no table has two "
            "classes. Expected were two at least. Give another catalogue, or a lower --min-count."
        )
    return Plan(catalogue, ordered, tuple(folds), tuple(tables), unfolded=tuple(unfolded))


def unfolded_because(left: Left) -> str:
    """Say why a table is unfolded.

    >>> unfolded_because(Left(100, 0.382, 0.05))
    'Only 38% of the products and 5% of the categories have classes of at least 100 products.'
    """
    return (
        f"Only {left.products:.0%} of the products and {left.categories:.0%} of the categories "
        f"have classes of at least {left.min_products} products."
    )


def run(plan: Plan, store: Store, *, workers: int) -> PlanOutcome:
    """Run what the store does not have yet, also sections; return what could not be."""
    outcome = PlanOutcome()
    able = []
    for name in plan.candidates:
        missing = missing_packages(name)
        if missing:
            outcome.missing[name] = _not_installed(missing, named(name).install)
            say(f"{name} is left out, {outcome.missing[name]}.")
        else:
            able.append(name)
    plan = replace(plan, candidates=tuple(able))
    units: list[list[OpenJob | OpenSection]] = [
        list(_open_jobs(plan, store, inputs, fold))
        for inputs in dict.fromkeys(table.inputs for table in plan.tables)
        for fold in plan.folds
    ]
    units += [[one] for one in _open_sections(plan, store, outcome)]
    units = [unit for unit in units if unit]
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
    members = (name, *named(name).members)
    return sorted({package for member in members for package in named(member).missing()})


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A candidate on a fold that the store has no results of, for some tables of one input."""

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
        """What the candidate takes typically."""
        return self.candidate.seconds

    def job(self, store_url: str, folder: Path) -> Job:
        """Return what the worker is told."""
        return Job(store_url, str(folder), self.name, self.inputs, self.fold, self.minima)


@dataclass(frozen=True, slots=True)
class OpenSection:
    """A research section that the store has no finding of."""

    section: Section

    @property
    def name(self) -> str:
        """The section's name."""
        return self.section.name

    @property
    def label(self) -> str:
        """The section's name, said to be one."""
        return f"research: {self.name}"

    @property
    def seconds(self) -> float:
        """What the section takes typically."""
        return self.section.seconds

    def job(self, store_url: str, folder: Path) -> Job:
        """Return what the worker is told."""
        return Job(store_url, str(folder), section=self.name)


def _open_jobs(plan: Plan, store: Store, inputs: str, fold: int) -> Iterator[OpenJob]:
    for name in plan.candidates:
        candidate = named(name)
        minima = tuple(
            table.min_products
            for table in plan.tables
            if table.inputs == inputs
            and not store.exists(results.result_key(plan.catalogue.id, candidate, table, fold))
        )
        if minima:
            yield OpenJob(candidate, inputs, fold, minima)


def _open_sections(plan: Plan, store: Store, outcome: PlanOutcome) -> Iterator[OpenSection]:
    for name in plan.sections:
        section = SECTIONS[name]
        missing = [one for module, one in section.packages if find_spec(module) is None]
        if missing:
            outcome.missing[f"research: {name}"] = _not_installed(missing)
            say(f"Section {name} is left out, {_not_installed(missing)}.")
        elif not store.exists(results.finding_key(plan.catalogue.id, section)):
            yield OpenSection(section)


def _not_installed(missing: Sequence[str], install: str = Candidate.install) -> str:
    return f"not installed: {', '.join(missing)}; `{install}` does it"


class _Runner:
    """Run the jobs of a fold and its inputs one after the other: they share features."""

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

    def run(self, unit: Sequence[OpenJob | OpenSection]) -> None:
        for job in unit:
            if self._stopped:
                return
            with self._estimate.job(job):
                self._run(job)
        first = unit[0]
        if isinstance(first, OpenJob):
            shutil.rmtree(shared_folder(self._folder, first.inputs, first.fold), ignore_errors=True)

    def stop(self) -> None:
        """End the processes that are running."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def _run(self, job: OpenJob | OpenSection) -> None:
        path = self._folder / f"{uuid4().hex}.json"
        job.job(self._store.url, self._folder).write(path)
        with self._lock:
            if self._stopped:
                return
            alone = isinstance(job, OpenJob) and job.candidate.all_cores
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
                reason = _last_words(errors) or f"it ended with {process.returncode}"
                self._outcome.failed[job.label] = reason
                say(f"{job.label} failed: {reason}")


def _last_words(errors: str | None) -> str:
    lines = [line.strip() for line in (errors or "").splitlines() if line.strip()]
    return lines[-1][:_LAST_WORDS] if lines else ""
