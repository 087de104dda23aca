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

from aisle.progress import console, say

# The products that typical seconds are about.
_TYPICAL_ROWS = 9000


class Estimated(Protocol):
    """What is estimated: who runs, what it is called in full, and about how long it takes."""

    @property
    def name(self) -> str:
        """Who runs; tasks of one name take about as long as each other."""

    @property
    def label(self) -> str:
        """What exactly is run."""

    @property
    def seconds(self) -> float:
        """The seconds it takes with 9,000 products."""


class Estimate(AbstractContextManager["Estimate"]):
    """A bar of tasks with the time left, from what each candidate took so far.

    Where nobody watches, a line for every task instead.
    """

    def __init__(self, rows: int, tasks: Sequence[Estimated], workers: int) -> None:
        self._rows = rows
        self._open = list(tasks)
        self._workers = workers
        self._took: dict[str, list[float]] = {}
        self._typical: dict[str, float] = {}
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
        self._shown_row = self._bar.add_task(
            "comparing", total=len(tasks), left=f"about {minutes(self.seconds_left())} left"
        )

    def __enter__(self) -> Self:
        say(f"{len(self._open)} to run, about {minutes(self.seconds_left())}.")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def timed(self, task: Estimated) -> Iterator[None]:
        """Time a task."""
        self._bar.update(self._shown_row, description=task.label)
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        with self._lock:
            self._open.remove(task)
            self._took.setdefault(task.name, []).append(seconds)
            self._typical[task.name] = task.seconds
            left = f"about {minutes(self.seconds_left())} left"
        self._bar.update(self._shown_row, advance=1, left=left)
        if not console.is_terminal:
            say(f"{task.label}: {seconds:.0f} s; {left}")

    def seconds_left(self) -> float:
        """Return the seconds that the open tasks will take on all workers."""
        return sum(self._expected(task) for task in self._open) / self._workers

    def _expected(self, task: Estimated) -> float:
        took = self._took.get(task.name)
        if took:
            return sum(took) / len(took)
        return task.seconds * self._rows / _TYPICAL_ROWS * self._pace()

    def _pace(self) -> float:
        """Return how much longer than typical the finished ones took on this machine."""
        scale = self._rows / _TYPICAL_ROWS
        typical = sum(self._typical[name] * len(took) * scale for name, took in self._took.items())
        return sum(map(sum, self._took.values())) / typical if typical else 1.0


def minutes(seconds: float) -> str:
    """Say a time roughly.

    >>> minutes(40), minutes(200), minutes(4000)
    ('1 min', '3 min', '1 h 7 min')
    """
    whole = max(1, round(seconds / 60))
    return f"{whole // 60} h {whole % 60} min" if whole >= 60 else f"{whole} min"  # noqa: PLR2004
