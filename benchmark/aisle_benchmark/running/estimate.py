"""The progress of a comparison, and an estimate of the remaining time."""

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

# The number of products that typical seconds refer to.
_TYPICAL_ROWS = 9000


class Estimated(Protocol):
    """A task with an estimated duration."""

    @property
    def name(self) -> str:
        """The name of the candidate or section; tasks with one name take about equally long."""

    @property
    def label(self) -> str:
        """The full description of the task."""

    @property
    def seconds(self) -> float:
        """The seconds it takes with 9,000 products."""


class Estimate(AbstractContextManager["Estimate"]):
    """A progress bar with the remaining time, estimated from the finished tasks.

    Without a terminal, it prints one line per task instead.
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
        say(f"{len(self._open)} to run, which takes about {minutes(self.seconds_left())}.")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def timed(self, task: Estimated) -> Iterator[None]:
        """Measure the time of a task."""
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
        """Return the seconds that all workers together need for the open tasks."""
        return sum(self._expected(task) for task in self._open) / self._workers

    def _expected(self, task: Estimated) -> float:
        took = self._took.get(task.name)
        if took:
            return sum(took) / len(took)
        return task.seconds * self._rows / _TYPICAL_ROWS * self._pace()

    def _pace(self) -> float:
        """Return the ratio of actual to typical time of the finished tasks on this machine."""
        scale = self._rows / _TYPICAL_ROWS
        typical = sum(self._typical[name] * len(took) * scale for name, took in self._took.items())
        return sum(map(sum, self._took.values())) / typical if typical else 1.0


def minutes(seconds: float) -> str:
    """Format a duration, rounded to minutes.

    >>> minutes(40), minutes(200), minutes(4000)
    ('1 min', '3 min', '1 h 7 min')
    """
    rounded = max(1, round(seconds / 60))
    if rounded < 60:  # noqa: PLR2004  # minutes of an hour
        return f"{rounded} min"
    return f"{rounded // 60} h {rounded % 60} min"
