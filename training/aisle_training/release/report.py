"""The report of a training job, for people and programs: JSON, Markdown and charts."""

import io
from collections import Counter
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
_TOP = 1.005  # a share is at most 1; leave room for the line's width


def quality(answers: Answers, rows: Sequence[Example]) -> dict[str, Any]:
    """Return the data of charts and tables: reliability, coverage, and metrics of each category."""
    return {
        "reliability": _reliability(answers),
        "coverage": _coverage(answers),
        "categories": _categories(answers, rows),
    }


def files(facts: dict[str, Any], judgement: Judgement) -> dict[str, bytes]:
    """Return the files of a report, which are stored beside the model."""
    checks = [asdict(check) for check in judgement.checks]
    facts = facts | {"checks": checks, "gate": judgement.facts}
    return {
        "report.json": to_json(facts),
        "report.md": _markdown(facts, judgement).encode(),
        "reliability.png": _reliability_picture(facts["reliability"]),
        "coverage.png": _coverage_picture(facts["coverage"]),
    }


def _reliability(answers: Answers) -> list[dict[str, float]]:
    """Return mean confidence and accuracy in equal-mass bins of confidence."""
    order = np.argsort(answers.confidences, kind="stable")
    return [
        {
            "confidence": float(answers.confidences[rows].mean()),
            "accuracy": float(answers.right[rows].mean()),
            "products": len(rows),
        }
        for rows in np.array_split(order, _BINS)
        if len(rows)
    ]


def _coverage(answers: Answers) -> list[dict[str, float]]:
    """Return the precision of the most confident answers at growing coverage."""
    order = np.argsort(-answers.confidences, kind="stable")
    right = answers.right[order]
    size = len(order)
    ends = np.unique(np.linspace(min(1, size), size, min(_POINTS, size)).astype(int))
    return [
        {
            "coverage": int(end) / size,
            "precision": float(right[:end].mean()),
            "threshold": float(answers.confidences[order[end - 1]]),
        }
        for end in ends
    ]


def _categories(answers: Answers, rows: Sequence[Example]) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of the categories with the most test products."""
    paths = {row.path[-1].id: row.path for row in rows}
    predicted = Counter(answers.predicted)
    categories: list[dict[str, Any]] = []
    for category_id, (count, recall) in recalls(answers).items():
        hits = recall * count
        categories.append(
            {
                "id": category_id,
                "path": [node.name for node in paths[category_id]],
                "products": count,
                "precision": hits / predicted[category_id] if predicted[category_id] else 0.0,
                "recall": recall,
                "f1": 2 * hits / (count + predicted[category_id]),
            }
        )
    categories.sort(key=lambda category: (-category["products"], category["id"]))
    return categories[:_MOST_CATEGORIES]


def _markdown(facts: dict[str, Any], judgement: Judgement) -> str:
    marks = {True: "passed", False: "**failed**", None: "skipped"}
    checks = "\n".join(
        f"| {check.name} | {marks[check.passed]} | {check.detail} |" for check in judgement.checks
    )
    champion = judgement.champion
    against = f"compared with champion {champion}" if champion else "no champion to compare with"
    feedback = facts.get("feedback") or {}
    states = ", ".join(f"{count} {state}" for state, count in feedback.get("states", {}).items())
    return f"""# Model {facts["version"]}: {facts["state"]}

{facts["created_at"]}, training job {facts["run"]}, {against}. Reason: {facts["occasion"]}
Trained on {facts["products"]} products of {facts["classes"]} classes.

## The gate

| check | result | detail |
| --- | --- | --- |
{checks}

## Feedback

Events: {states or "none"}. Products with contradictory feedback:
{feedback.get("contradictions", 0)}.

{_drift(facts.get("drift") or {})}

## Calibration and coverage

![Reliability diagram](reliability.png)
![Precision by coverage](coverage.png)
"""


def _drift(facts: dict[str, Any]) -> str:
    if "class_mix" not in facts:
        return "There is no new feedback to compare with the snapshot."
    words, confidence = facts["unknown_words"], facts["confidence"]
    return f"""| drift | snapshot | new feedback |
| --- | ---: | ---: |
| words outside the champion's vocabulary | {words["snapshot"]:.1%} | {words["feedback"]:.1%} |
| mean confidence of the champion | {confidence["snapshot"]:.3f} | {confidence["feedback"]:.3f} |

Total variation distance of the first-level categories: {facts["class_mix"]:.0%}."""


def _reliability_picture(bins: Sequence[dict[str, float]]) -> bytes:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    axes.plot(
        [row["confidence"] for row in bins],
        [row["accuracy"] for row in bins],
        marker="o",
        color=_BLUE,
    )
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_title("Reliability diagram")
    return _png(figure)


def _coverage_picture(points: Sequence[dict[str, float]]) -> bytes:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [point["coverage"] for point in points],
        [point["precision"] for point in points],
        color=_BLUE,
    )
    axes.set_xlabel("coverage: share of products answered, the most confident first")
    axes.set_ylabel("precision")
    axes.set_ylim(top=_TOP)
    axes.set_title("Precision by coverage")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Leave out matplotlib's version, so that equal charts give equal bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
