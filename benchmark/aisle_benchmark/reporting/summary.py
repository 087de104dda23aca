"""From the stored results to the figures of the tables, as plain data."""

import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ObjectNotFoundError
from aisle.store import Store
from aisle_benchmark import measures, results
from aisle_benchmark.candidates import CANDIDATES, SHIPPED, named
from aisle_benchmark.measures import f1_by_class, paired_difference, quality
from aisle_benchmark.plan import Plan, PlanOutcome
from aisle_benchmark.protocol import Catalogue, Table
from aisle_benchmark.reporting import confidence
from aisle_benchmark.results import Costs, FoldResult
from aisle_training.release.measure import OTHER

_FULL = "attributes"
_DRAWN = 3
"""The number of peers in charts, beside the shipped model and external candidates."""
Pooled = dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]
"""The rows and probabilities of all folds, by candidate."""
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "onnxruntime")


def summarise(plan: Plan, store: Store, outcome: PlanOutcome, *, command: str) -> dict[str, Any]:
    """Return all figures of a plan for which the store has results."""
    catalogue = plan.catalogue
    scored = np.isin(catalogue.folds, plan.folds)
    return {
        "data": {
            "sha256": catalogue.sha256,
            "products": len(catalogue.rows),
            "groups": len(set(catalogue.groups)),
            "scored": int(scored.sum()),
        },
        "folds": list(plan.folds),
        "unfolded": [asdict(left) for left in plan.unfolded],
        "outside": [name for name in plan.candidates if name not in CANDIDATES],
        "tables": [summarise_table(plan, store, table) for table in plan.tables],
        "levels": _levels(plan, store),
        "left_out": outcome.missing | outcome.failed,
        "about": about(command, plan.candidates),
    }


def summarise_table(plan: Plan, store: Store, table: Table) -> dict[str, Any]:
    """Return the figures of every candidate in a table, and the shipped model's gains over them."""
    catalogue = plan.catalogue
    targets = table.targets(catalogue.labels)
    pooled: Pooled = {}
    candidates = []
    for name in plan.candidates:
        folds = fold_results(plan, store, table, name)
        if folds is None:
            continue
        rows = np.concatenate([fold.rows for fold in folds])
        probabilities = np.concatenate([fold.probabilities for fold in folds])
        pooled[name] = rows, probabilities
        by_fold = [quality(targets[fold.rows], fold.probabilities) for fold in folds]
        candidates.append(
            {
                "name": name,
                "title": named(name).title,
                "parameters": asdict(named(name)),  # type: ignore[call-overload]
                **quality(targets[rows], probabilities),
                "deviation": {
                    metric: float(np.std([figures[metric] for figures in by_fold]))
                    for metric in measures.QUALITY
                },
                "costs": costs(folds),
            }
        )
    return {
        "name": table.name,
        "min_products": table.min_products,
        "unfolded": table.unfolded,
        "inputs": table.inputs,
        "classes": len(table.classes) - 1,
        "share_of_other": float(np.mean(targets == len(table.classes) - 1)),
        "candidates": candidates,
        "ahead": _ahead(catalogue, targets, pooled),
        **_details(plan, store, table, targets, pooled),
    }


def _details(
    plan: Plan, store: Store, table: Table, targets: NDArray[np.int64], pooled: Pooled
) -> dict[str, Any]:
    """Return curves and F1 by class of the shipped model and of the best peers."""
    f1 = {
        name: f1_by_class(targets[rows], probabilities.argmax(axis=1), len(table.classes))
        for name, (rows, probabilities) in pooled.items()
    }
    outside = [name for name in pooled if name not in CANDIDATES]
    peers = sorted(
        (name for name in pooled if name in CANDIDATES and name != SHIPPED),
        key=lambda name: -float(f1[name].mean()),
    )
    drawn = [name for name in (SHIPPED, *outside, *peers[:_DRAWN]) if name in pooled]
    scored = targets[np.isin(plan.catalogue.folds, plan.folds)]
    support = np.bincount(scored, minlength=len(table.classes))
    folds = fold_results(plan, store, table, SHIPPED)
    return {
        "curves": {
            name: {
                "threshold": confidence.curve(targets[pooled[name][0]], pooled[name][1]),
                "reliability": confidence.reliability(targets[pooled[name][0]], pooled[name][1]),
            }
            for name in drawn
        },
        "by_class": [
            {
                "category": category,
                "products": int(support[index]),
                "f1": {name: float(f1[name][index]) for name in drawn},
            }
            for index, category in enumerate(class_names(plan.catalogue, table))
            # In an unfolded table, no product is `other`.
            if support[index] or category != OTHER
        ],
        "coverage": confidence.folded(table, targets, folds) if folds else [],
        "situations": (
            confidence.situations(targets, folds) if folds and table.inputs == _FULL else []
        ),
    }


def _levels(plan: Plan, store: Store) -> dict[str, Any]:
    """Return the shipped model's coverage and precision at each level, for each kind of input."""
    levels = {}
    for table in plan.tables:
        folds = fold_results(plan, store, table, SHIPPED)
        if folds and table.inputs not in levels:
            levels[table.inputs] = confidence.by_level(plan.catalogue, folds)
    return levels


def fold_results(plan: Plan, store: Store, table: Table, name: str) -> list[FoldResult] | None:
    """Return a candidate's results on the plan's folds; None unless the store has all of them."""
    candidate = named(name)
    try:
        return [
            results.load(store, results.result_key(plan.catalogue.id, candidate, table, fold))
            for fold in plan.folds
        ]
    except ObjectNotFoundError:
        return None


def class_names(catalogue: Catalogue, table: Table) -> list[str]:
    """Return a readable name for each class of a table."""
    names = {row.path[:3][-1].id: row.path[:3][-1].name for row in catalogue.rows}
    return [OTHER if label == OTHER else names[label] for label in table.classes]


def costs(folds: Sequence[FoldResult]) -> dict[str, float]:
    """Return the median costs of the folds."""
    by_fold = [asdict(fold.costs) for fold in folds]
    return {name: float(np.median([cost[name] for cost in by_fold])) for name in Costs.__slots__}


def about(command: str, candidates: Sequence[str] = ()) -> dict[str, Any]:
    """Return the date, command, machine and library versions of the measurements."""
    packages = {package for name in candidates for package in named(name).packages.values()}
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": command,
        "machine": f"{_processor()}, {cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "libraries": {
            name: installed
            for name in sorted({*_LIBRARIES, *packages})
            if (installed := _version(name)) is not None
        },
    }


def command_line() -> str:
    """Return the command as it was typed."""
    return " ".join(["aisle", *sys.argv[1:]])


def _ahead(
    catalogue: Catalogue,
    targets: NDArray[np.int64],
    pooled: Pooled,
) -> dict[str, Any]:
    """Return the shipped model's gains over each peer on the same rows."""
    if SHIPPED not in pooled:
        return {}
    rows, ours = pooled[SHIPPED]
    groups = [catalogue.groups[row] for row in rows]
    return {
        name: paired_difference(targets[rows], ours.argmax(axis=1), theirs.argmax(axis=1), groups)
        for name, (_, theirs) in pooled.items()
        if name != SHIPPED
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
