"""Charts of a catalogue's statistics."""

from pathlib import Path as FilePath
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def draw(description: dict[str, Any], folder: FilePath) -> list[FilePath]:
    """Draw the category sizes and the levels as SVG files; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = np.array(description["sizes"])
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    # Bin edges lie between integers: a bin without an integer would look like a missing size.
    edges = np.unique(np.rint(np.geomspace(1, max(2, sizes.max()) + 1, 25))) - 0.5
    axes.hist(sizes, bins=edges.tolist(), color="#33658a")
    axes.set_xscale("log")
    axes.set_xlabel("products in the category")
    axes.set_ylabel("categories")
    axes.set_title(f"{description['categories']} categories, {description['products']} products")
    histogram = folder / "category-sizes.svg"
    figure.savefig(histogram)

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    names = [f"level {level['level']}" for level in description["levels"]]
    bars = axes.bar(names, [level["products"] for level in description["levels"]], color="#33658a")
    counts = [f"{level['categories']} categories" for level in description["levels"]]
    axes.bar_label(bars, labels=counts)
    axes.set_ylabel("products labelled at this level")
    levels = folder / "levels.svg"
    figure.savefig(levels)
    return [histogram, levels]
