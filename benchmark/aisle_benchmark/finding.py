"""The result of a research section: a table and a summary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aisle_benchmark.protocol import Catalogue

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A table's columns and rows, and their meaning in a sentence or two."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Section:
    """A question and the function that answers it; raise `version` when the answer changes."""

    name: str
    title: str
    answer: Callable[[Catalogue], Finding]
    version: int = 1
    seconds: float = 120
    """The approximate seconds it takes with 9,000 products."""
    packages: tuple[tuple[str, str], ...] = ()
    """The packages it needs: names to import and distributions."""


def signed(value: float) -> str:
    """Format a difference with its sign.

    >>> signed(0.01234), signed(-0.5)
    ('+0.0123', '-0.5000')
    """
    return f"{value:+.4f}"


def interval(gain: Mapping[str, float]) -> str:
    """Format a difference with its interval.

    >>> interval({"difference": 0.01, "low": -0.002, "high": 0.02})
    '+0.0100 (-0.0020 to +0.0200)'
    """
    return f"{signed(gain['difference'])} ({signed(gain['low'])} to {signed(gain['high'])})"


def listed(names: Sequence[str]) -> str:
    """Join names with commas and `and`.

    >>> listed(["case"]), listed(["case", "digits", "stop words"]), listed([])
    ('case', 'case, digits and stop words', 'none')
    """
    if len(names) < 2:  # noqa: PLR2004  # nothing to join
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"
