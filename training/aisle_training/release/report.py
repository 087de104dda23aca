"""What a run measured, for people and for machines: JSON, Markdown and pictures."""

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from aisle_training.data.prepare import Example
from aisle_training.figures import to_json
from aisle_training.release.gate import Judgement
from aisle_training.release.measure import Answers, recalls

_BINS: Final = 10
_POINTS: Final = 40
_MOST_CATEGORIES: Final = 500
_BLUE, _GREY = "#33658a", "#9aa5b1"
_TOP = 1.005  # no share is above 1


def quality(found: Answers, rows: Sequence[Example]) -> dict[str, Any]:
    """Return what pictures and tables are made of: reliability, coverage, and each category."""
    return {
        "reliability": _reliability(found),
        "coverage": _coverage(found),
        "categories": _categories(found, rows),
    }


def files(facts: dict[str, Any], judgement: Judgement) -> dict[str, bytes]:
    """Return the files of a report: what is written beside the model."""
    checks = [asdict(check) for check in judgement.checks]
    facts = facts | {"checks": checks, "gate": judgement.facts}
    return {
        "report.json": to_json(facts),
        "report.md": _markdown(facts, judgement).encode(),
        "reliability.png": _reliability_picture(facts["reliability"]),
        "coverage.png": _coverage_picture(facts["coverage"]),
    }


def _reliability(found: Answers) -> list[dict[str, float]]:
    order = np.argsort(found.confidences, kind="stable")
    return [
        {
            "confidence": float(found.confidences[part].mean()),
            "accuracy": float(found.right[part].mean()),
            "products": len(part),
        }
        for part in np.array_split(order, _BINS)
        if len(part)
    ]


def _coverage(found: Answers) -> list[dict[str, float]]:
    """Return how precise the surest answers are, for ever more of them."""
    order = np.argsort(-found.confidences, kind="stable")
    right = found.right[order]
    size = len(order)
    ends = np.unique(np.linspace(min(1, size), size, min(_POINTS, size)).astype(int))
    return [
        {
            "coverage": int(end) / size,
            "precision": float(right[:end].mean()),
            "threshold": float(found.confidences[order[end - 1]]),
        }
        for end in ends
    ]


def _categories(found: Answers, rows: Sequence[Example]) -> list[dict[str, Any]]:
    paths = {row.path[-1].id: row.path for row in rows}
    said: defaultdict[str, int] = defaultdict(int)
    for own in found.found:
        said[own] += 1
    out: list[dict[str, Any]] = []
    for own, (count, recall) in recalls(found).items():
        hits = recall * count
        precision = hits / said[own] if said[own] else 0.0
        out.append(
            {
                "id": own,
                "path": [node.name for node in paths[own]],
                "products": count,
                "precision": precision,
                "recall": recall,
                "f1": 2 * hits / (count + said[own]),
            }
        )
    return sorted(out, key=lambda one: (-one["products"], one["id"]))[:_MOST_CATEGORIES]


def _markdown(facts: dict[str, Any], judgement: Judgement) -> str:
    marks = {True: "passed", False: "**failed**", None: "not asked"}
    checks = "\n".join(
        f"| {check.name} | {marks[check.passed]} | {check.detail} |" for check in judgement.checks
    )
    against = f"against champion {judgement.champion}" if judgement.champion else "no champion"
    feedback = facts.get("feedback") or {}
    states = ", ".join(f"{count} {state}" for state, count in feedback.get("states", {}).items())
    return f"""# Model {facts["version"]}: {facts["state"]}

{facts["created_at"]}, run {facts["run"]}, {against}. Why it was trained: {facts["occasion"]}
Trained on {facts["products"]} products of {facts["classes"]} classes.

## The gate

| check | | |
| --- | --- | --- |
{checks}

## Feedback

{states or "none"}. Products of which clients said different things:
{feedback.get("contradictions", 0)}.

{_drift(facts.get("drift") or {})}

## Pictures

![How far confidence can be trusted](reliability.png)
![How many answers are sure enough](coverage.png)
"""


def _drift(found: dict[str, Any]) -> str:
    if "class_mix" not in found:
        return "There is no new feedback to compare with the snapshot."
    words, confidence = found["unknown_words"], found["confidence"]
    return f"""| new feedback against the snapshot | snapshot | feedback |
| --- | ---: | ---: |
| words that the champion does not know | {words["snapshot"]:.1%} | {words["feedback"]:.1%} |
| mean confidence of the champion | {confidence["snapshot"]:.3f} | {confidence["feedback"]:.3f} |

The mix of first-level categories differs by {found["class_mix"]:.0%}."""


def _reliability_picture(bins: Sequence[dict[str, float]]) -> bytes:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    axes.plot(
        [one["confidence"] for one in bins],
        [one["accuracy"] for one in bins],
        marker="o",
        color=_BLUE,
    )
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of right answers")
    axes.set_title("How far confidence can be trusted")
    return _png(figure)


def _coverage_picture(points: Sequence[dict[str, float]]) -> bytes:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [one["coverage"] for one in points], [one["precision"] for one in points], color=_BLUE
    )
    axes.set_xlabel("share of products answered, the surest first")
    axes.set_ylabel("share of right answers")
    axes.set_ylim(top=_TOP)
    axes.set_title("How many answers are sure enough")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without its version in it, matplotlib gives the same bytes for the same picture.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
