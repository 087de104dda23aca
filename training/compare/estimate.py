"""How far a comparison is, and how long it will still take."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from training.compare.candidates.base import Candidate
from training.progress import console, say

# The products of a fold that candidates' typical seconds are about.
_TYPICAL_ROWS = 9000


class Job(Protocol):
    """What is estimated: a candidate on a fold."""

    @property
    def candidate(self) -> Candidate:
        """Who runs."""

    @property
    def inputs(self) -> str:
        """On which inputs."""

    @property
    def fold(self) -> int:
        """On which fold."""


class Estimate(AbstractContextManager["Estimate"]):
    """A bar of jobs with the time left, from what each candidate took so far.

    Where nobody watches, a line for every job instead.
    """

    def __init__(self, rows: int, jobs: Sequence[Job], workers: int) -> None:
        self._rows = rows
        self._open = list(jobs)
        self._workers = workers
        self._took: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            "comparing", total=len(jobs), left=f"about {minutes(self.seconds_left())} left"
        )

    def __enter__(self) -> Self:
        say(f"{len(self._open)} to run, about {minutes(self.seconds_left())}.")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def job(self, job: Job) -> Iterator[None]:
        """Time a job."""
        name = job.candidate.name
        self._bar.update(self._task, description=f"{name}, {job.inputs}, fold {job.fold}")
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        with self._lock:
            self._open.remove(job)
            self._took.setdefault(name, []).append(seconds)
            left = f"about {minutes(self.seconds_left())} left"
        self._bar.update(self._task, advance=1, left=left)
        if not console.is_terminal:
            say(f"{name}, {job.inputs}, fold {job.fold}: {seconds:.0f} s; {left}")

    def seconds_left(self) -> float:
        """Return the seconds that the open jobs will take on all workers."""
        return sum(self._expected(job.candidate) for job in self._open) / self._workers

    def _expected(self, candidate: Candidate) -> float:
        took = self._took.get(candidate.name)
        if took:
            return sum(took) / len(took)
        return candidate.seconds * self._rows / _TYPICAL_ROWS * self._pace()

    def _pace(self) -> float:
        """Return how much longer than typical the finished candidates took on this machine."""
        typical = took = 0.0
        for candidate in {job.candidate.name: job.candidate for job in self._open}.values():
            mine = self._took.get(candidate.name, [])
            took += sum(mine)
            typical += len(mine) * candidate.seconds * self._rows / _TYPICAL_ROWS
        return took / typical if typical else 1.0


def minutes(seconds: float) -> str:
    """Say a time roughly.

    >>> minutes(40), minutes(200), minutes(4000)
    ('1 min', '3 min', '1 h 7 min')
    """
    whole = max(1, round(seconds / 60))
    return f"{whole // 60} h {whole % 60} min" if whole >= 60 else f"{whole} min"  # noqa: PLR2004
