"""The charts of a summary, as PNG."""

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from aisle_benchmark.candidates import SHIPPED

_OURS = "#c1440e"
_THEIRS = ("#33658a", "#7a9e9f", "#8d7f9b", "#b08900", "#5b7f3a", "#a0527d")
_MOST_CLASSES = 30
_DPI = 110
# Half the width of a marker, and the possible offsets of its label, in points.
_DOT = 3
_CORNERS = ((4, 4), (4, -9), (-4, 4), (-4, -9))


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered chart, with its file name and caption."""

    name: str
    caption: str
    png: bytes


def draw(summary: dict[str, Any]) -> list[Picture]:
    """Draw quality against latency, classes, thresholds and reliability."""
    tables = [table for table in summary["tables"] if table["candidates"]]
    if not tables:
        return []
    return [
        _page("quality-latency.png", "Macro-F1 against latency of one product", tables, _latency),
        *_classes(tables),
        _page("thresholds.png", "Coverage against precision of what passes", tables, _threshold),
        _page("reliability.png", "Confidence against share of right answers", tables, _reliable),
    ]


def _page(name: str, caption: str, tables: list[dict[str, Any]], drawing: Any) -> Picture:  # noqa: ANN401
    columns = min(2, len(tables))
    lines = -(-len(tables) // columns)
    figure = Figure(figsize=(5.5 * columns, 4.2 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(tables) :]:
        axes.set_axis_off()
    for axes, table in zip(grid.flat, tables, strict=False):
        drawing(axes, table)
        rest = "unfolded" if table["unfolded"] else "and other"
        axes.set_title(f"{table['inputs']}, {table['classes']} classes {rest}", fontsize=10)
    return Picture(name, caption, _png(figure))


def _latency(axes: Axes, table: dict[str, Any]) -> None:
    points = {
        candidate["name"]: (max(candidate["costs"]["p50_ms"], 1e-3), candidate["macro_f1"])
        for candidate in table["candidates"]
    }
    for name, point in points.items():
        axes.scatter(*point, color=_OURS if name == SHIPPED else _THEIRS[0], zorder=3)
    axes.set_xscale("log")
    axes.margins(x=0.2)
    axes.set_xlabel("one product, p50, ms (log)")
    axes.set_ylabel("macro-F1")
    axes.grid(alpha=0.3)
    _name(axes, points)


def _name(axes: Axes, points: dict[str, tuple[float, float]]) -> None:
    """Label each point, in the first corner where the label covers nothing."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101  # the page's
    figure.draw_without_rendering()  # sets the positions of points
    taken = [
        Bbox.from_bounds(x - _DOT, y - _DOT, 2 * _DOT, 2 * _DOT)
        for x, y in axes.transData.transform([*points.values()])
    ]
    for name, point in points.items():
        texts = [_beside(axes, name, point, corner) for corner in _CORNERS]
        boxes = [text.get_window_extent() for text in texts]
        free = [number for number, box in enumerate(boxes) if not box.count_overlaps(taken)]
        chosen = free[0] if free else 0
        taken.append(boxes[chosen])
        for text in texts[:chosen] + texts[chosen + 1 :]:
            text.remove()


def _beside(
    axes: Axes, name: str, point: tuple[float, float], corner: tuple[float, float]
) -> Annotation:
    return axes.annotate(
        name,
        point,
        corner,
        textcoords="offset points",
        fontsize=7,
        ha="left" if corner[0] > 0 else "right",
    )


def _threshold(axes: Axes, table: dict[str, Any]) -> None:
    for name, colour in _coloured(table):
        coverage, precision = zip(*table["curves"][name]["threshold"], strict=True)
        axes.plot(coverage, precision, color=colour, label=name, zorder=3 if name == SHIPPED else 2)
    axes.axhline(0.98, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("coverage")
    axes.set_ylabel("precision")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


def _reliable(axes: Axes, table: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    for name, colour in _coloured(table):
        confidence, right = zip(*table["curves"][name]["reliability"], strict=True)
        axes.plot(confidence, right, marker=".", color=colour, label=name)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of right answers")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


def _classes(tables: list[dict[str, Any]]) -> Iterator[Picture]:
    """Draw the F1 of the largest classes, for each threshold's table with the most fields."""
    last = {table["min_products"]: table for table in tables}
    for minimum, table in last.items():
        shown = sorted(table["by_class"], key=lambda label: -label["products"])[:_MOST_CLASSES][
            ::-1
        ]
        names = [f"{label['category'][:34]} ({label['products']})" for label in shown]
        figure = Figure(figsize=(7, 1.2 + 0.27 * len(shown)), layout="constrained")
        axes = figure.subplots()
        for name, colour in _coloured(table)[::-1]:
            values = [label["f1"][name] for label in shown]
            axes.plot(values, range(len(shown)), "o", markersize=4, color=colour, label=name)
        axes.set_yticks(range(len(shown)), names, fontsize=7)
        axes.set_xlabel("F1")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
        which = "unfolded" if table["unfolded"] else f"of at least {minimum} products"
        caption = f"F1 of the classes {which}, {table['inputs']}"
        axes.set_title(f"{caption} (the {len(shown)} largest)", fontsize=9)
        name = f"classes-{'unfolded' if table['unfolded'] else minimum}.png"
        yield Picture(name, caption, _png(figure))


def _coloured(table: dict[str, Any]) -> list[tuple[str, str]]:
    peers = [name for name in table["curves"] if name != SHIPPED]
    coloured = list(zip(peers, itertools.cycle(_THEIRS), strict=False))
    return [(SHIPPED, _OURS), *coloured] if SHIPPED in table["curves"] else coloured


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
