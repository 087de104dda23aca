"""The notebooks' data, and tables that code hosts render, too."""

import html
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aisle.catalogue.labelled import read_labelled
from aisle.errors import DataError
from aisle.store import Store, open_store
from aisle_benchmark import protocol
from aisle_benchmark.candidates import QUICK
from aisle_benchmark.compare import FIGURES, Options, compare
from aisle_benchmark.finding import Cell
from aisle_benchmark.plan import make_plan

DATA = "AISLE_NOTEBOOK_DATA"
STORE = "AISLE_NOTEBOOK_STORE"
_DATA = "../../shared/data/bestbuy/products.jsonl.gz"
_STORE = "../.aisle"
"""Both relative to the folder of the notebooks, where Jupyter runs them."""
_QUICK_PRODUCTS = 2500
_MINIMA = (100, 20, 5)
OURS, THEIRS, QUIET = "#c1440e", "#33658a", "#9aa5ab"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 90,
    "figure.figsize": (7.5, 3.8),
    "grid.alpha": 0.3,
    "image.cmap": "viridis",
}


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table in a notebook: numbers aligned right, fractions to four digits."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> "ShownTable":
        """Make a table from any iterables."""
        return cls(tuple(columns), tuple(tuple(row) for row in rows))

    def __repr__(self) -> str:
        """Render it as text."""
        lines = [self.columns, *(tuple(map(_shown, row)) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        """Render it as HTML for Jupyter and code hosts, with all text escaped."""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def data_file() -> str:
    """Return the path or URL of the notebooks' catalogue; raise DataError if there is none."""
    source = os.environ.get(DATA)
    if source:
        return source
    if Path(_DATA).is_file():
        return _DATA
    raise DataError(
        f"The notebooks have no catalogue: {DATA} is not set, and {_DATA} does not exist. Expected "
        "a labelled catalogue, as `aisle train` reads it. Set the variable to its path or URL."
    )


def notebook_store() -> Store:
    """Open the store with the comparison and, if there is one, a model trained on the data."""
    return open_store(os.environ.get(STORE) or os.environ.get("AISLE_STORE") or _STORE)


def last_comparison(store: Store) -> dict[str, Any] | None:
    """Return the figures of the largest comparison in a store; None if there is none."""
    reports = [name for name in store.list("comparisons/") if name.endswith(f"/report/{FIGURES}")]
    summaries: list[dict[str, Any]] = [json.loads(store.get(name).data) for name in reports]
    return max(
        summaries,
        key=lambda summary: (
            summary["data"]["scored"],
            len(summary["tables"]),
            summary["about"]["date"],
        ),
        default=None,
    )


def quick_comparison(source: str) -> dict[str, Any]:
    """Compare the fast candidates on one fold of a sample, without storing the results."""
    rows = protocol.sample(list(read_labelled(source)), _QUICK_PRODUCTS)
    catalogue = protocol.make_catalogue(rows)
    # In a small catalogue, no category has a hundred products.
    minima = [minimum for minimum in _MINIMA if protocol.make_table(catalogue, minimum, "text")]
    plan = make_plan(catalogue, candidates=QUICK, folds=(0,), minima=minima[:2])
    with tempfile.TemporaryDirectory(prefix="aisle-notebook-") as folder:
        store = open_store(Path(folder).as_uri())
        summary, _ = compare(plan, store, Options(workers=2, with_finetuned=False, command=""))
    return summary


def shorten(text: str | None, length: int = 60) -> str:
    """Return the beginning of a text.

    >>> shorten("a very long description", length=11), shorten(None)
    ('a very lon…', '')
    """
    text = text or ""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _shown(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else value


def _cell(value: Cell) -> str:
    side = "left" if isinstance(value, str) else "right"
    return f'<td style="text-align: {side}">{html.escape(_shown(value))}</td>'
