"""What a research section comes to: a table and a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aisle_benchmark.protocol import Catalogue

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """The rows of a table under its columns, and what they say in a sentence or two."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Section:
    """A question and how it is answered; raise `version` where the answer's code changes."""

    name: str
    title: str
    answer: Callable[[Catalogue], Finding]
    version: int = 1
    seconds: float = 120
    """About what it takes with 9,000 products."""
    packages: tuple[tuple[str, str], ...] = ()
    """What has to be installed: names to import and distributions."""


def signed(value: float) -> str:
    """Say a difference with its sign.

    >>> signed(0.01234), signed(-0.5)
    ('+0.0123', '-0.5000')
    """
    return f"{value:+.4f}"


def interval(one: Mapping[str, float]) -> str:
    """Say a difference with its interval.

    >>> interval({"difference": 0.01, "low": -0.002, "high": 0.02})
    '+0.0100 (-0.0020 to +0.0200)'
    """
    return f"{signed(one['difference'])} ({signed(one['low'])} to {signed(one['high'])})"


def listed(names: Sequence[str]) -> str:
    """Join names as in a sentence.

    >>> listed(["case"]), listed(["case", "digits", "stop words"]), listed([])
    ('case', 'case, digits and stop words', 'none')
    """
    if len(names) < 2:  # noqa: PLR2004  # nothing to join
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"
