"""Progress on standard error: a bar on a terminal, no bar elsewhere."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    track as _track,
)
from rich.text import Text

console = Console(stderr=True)

T = TypeVar("T")


def say(message: str) -> None:
    """Print one line about what is going on."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)


def track(items: Iterable[T], what: str, *, total: int | None = None) -> Iterator[T]:
    """Show progress while iterating over items."""
    hidden = not console.is_terminal
    return iter(_track(items, what, total=total, console=console, transient=True, disable=hidden))


@contextmanager
def steps(what: str, total: int | None) -> Iterator["Steps"]:
    """Show progress over a number of steps, several of which may run at the same time."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    if hidden:
        say(f"{what.capitalize()}" + (f": {total} steps." if total else "."))
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        yield Steps(bar, what, total)


class _RateColumn(ProgressColumn):
    """The number of steps per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Steps:
    """A progress bar that several threads may advance."""

    def __init__(self, bar: Progress, what: str, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task(what, total=total)

    def done(self, count: int = 1) -> None:
        """Advance by a number of steps."""
        self._bar.advance(self._task, count)
