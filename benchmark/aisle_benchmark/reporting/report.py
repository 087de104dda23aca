"""The report of a summary: tables and text in Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aisle_benchmark.candidates import SHIPPED
from aisle_benchmark.finding import Cell
from aisle_benchmark.plan import unfolded_because
from aisle_benchmark.protocol import Retained
from aisle_benchmark.reporting.plots import Picture

_QUALITY = {
    "accuracy": "accuracy",
    "top3": "top-3",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "micro_f1": "micro-F1",
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration_error": "ECE",
}
_CONTEST = {"accuracy": 1, "macro_f1": 1, "auc": 1, "log_loss": -1}
"""The metrics on which the shipped model competes; -1 if lower is better."""
_MILLION = 1e6
_INPUTS = {"text": "name and description", "attributes": "with manufacturer and price"}


def markdown(summary: dict[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the report of a summary, with links to its charts."""
    parts = [
        *_head(summary),
        *(line for table in summary["tables"] for line in _table(table)),
        *_left_out(summary),
        *_pictures(pictures),
        *_levels(summary),
        *_situations(summary),
        *_finetuned(summary),
        *_research(summary),
    ]
    return "\n\n".join(parts) + "\n"


def brief(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a summary that the demo page shows: candidates by macro-F1, best first."""
    shown = ("name", "title", "accuracy", "macro_f1", "calibration_error")
    costs = ("p50_ms", "size_bytes")
    return {
        "shipped": SHIPPED,
        "about": {key: summary["about"][key] for key in ("command", "date", "machine")},
        "data": {key: summary["data"][key] for key in ("products", "sha256")},
        "folds": len(summary["folds"]),
        "tables": [
            {key: table[key] for key in ("min_products", "unfolded", "inputs", "classes")}
            | {
                "candidates": [
                    {key: candidate[key] for key in shown}
                    # The page does not render Markdown.
                    | {"title": candidate["title"].replace("*", "").replace("`", "")}
                    | {"costs": {key: candidate["costs"][key] for key in costs}}
                    for candidate in sorted(
                        table["candidates"], key=lambda candidate: -candidate["macro_f1"]
                    )
                ]
            }
            for table in summary["tables"]
        ],
    }


def _head(summary: dict[str, Any]) -> Iterator[str]:
    data, about = summary["data"], summary["about"]
    libraries = ", ".join(f"{name} {version}" for name, version in about["libraries"].items())
    folds = len(summary["folds"])
    yield "# Results"
    yield (
        f"`{about['command']}` wrote this page on {about['date']}: {about['machine']}, Python "
        f"{about['python']}, {libraries}. Data: {data['products']:,} products in "
        f"{data['groups']:,} groups, SHA-256 `{data['sha256'][:16]}…`."
    )
    yield (
        f"All figures are on held-out products: {folds} of five folds, with all products of one "
        "description in the same fold. A label is the id of the category at level 3, or of the "
        "last one in a shorter path. Classes with fewer products in the whole file than a table's "
        "threshold become `other`. Hyperparameters such as an SVM's C are chosen within each "
        "fold's training products. Fields, folds and labels are the same for all candidates. F1 "
        "and AUC are averaged over classes, AUC is one-vs-rest; ECE is the expected calibration "
        "error in 15 bins of equal mass; ± is the standard deviation over the folds. Micro-F1 "
        "equals accuracy, because each product has one class and gets one."
    )
    if summary["unfolded"]:
        reasons = " ".join(unfolded_because(Retained(**shares)) for shares in summary["unfolded"])
        yield (
            f"{reasons} A small shop is therefore compared unfolded: every category down to level "
            "3 is a class, and nothing becomes `other`. Categories of few products are hard for "
            "every candidate; no candidate can learn one whose products are all in one fold."
        )
    yield (
        "Each candidate trained and predicted in its own process on one core, two at a time. "
        "All times are processor time, which on one core equals the time on an idle machine. "
        "Training seconds (median of the folds) include the features shared with other "
        "candidates; latencies are from raw product to probabilities, one product at a time; "
        "memory is the peak of the whole process, including Python and libraries."
    )
    if summary["outside"]:
        yield (
            f"From outside this project: {', '.join(f'`{name}`' for name in summary['outside'])}. "
            "Such a candidate may wait for another machine, so its times are wall-clock times. Its "
            "size is that of its pickle, or 0 if it cannot be pickled."
        )


def _table(table: dict[str, Any]) -> Iterator[str]:
    inputs = _INPUTS[table["inputs"]].capitalize()
    if table["unfolded"]:
        yield f"## {inputs}, unfolded: {table['classes']} classes"
    else:
        yield (
            f"## {inputs}, fewer than {table['min_products']} to `other`: {table['classes']} "
            f"classes, {table['share_of_other']:.0%} other"
        )
    candidates = table["candidates"]
    if not candidates:
        yield "No candidate has finished all folds."
        return
    yield rows_of(
        ("", *_QUALITY.values(), "± accuracy", "± macro-F1"),
        (
            (
                candidate["title"],
                *(candidate[key] for key in _QUALITY),
                candidate["deviation"]["accuracy"],
                candidate["deviation"]["macro_f1"],
            )
            for candidate in candidates
        ),
    )
    yield rows_of(
        ("", "train, s", "p50, ms", "p99, ms", "products/s", "size, MB", "memory, MB"),
        ((candidate["title"], *_cost_cells(candidate["costs"])) for candidate in candidates),
    )
    ahead = table["ahead"]
    if ahead:
        yield _verdict(table)
        yield "Aisle minus each peer on the same rows, with 95 % bootstrap intervals:"
        titles = {candidate["name"]: candidate["title"] for candidate in candidates}
        yield rows_of(
            ("", "accuracy", "macro-F1"),
            (
                (titles[name], _interval(gains["accuracy"]), _interval(gains["macro_f1"]))
                for name, gains in ahead.items()
            ),
        )
    if table["coverage"]:
        yield (
            "Confident enough to be shown without review: thresholds on Aisle's confidence in its "
            "best class, set for each fold on the other folds:"
        )
        yield rows_of(
            ("precision asked for", "precision", "coverage"),
            (
                (
                    _percent(checked["asked"]),
                    _percent(checked["precision"]),
                    _percent(checked["coverage"]),
                )
                for checked in table["coverage"]
            ),
        )


def _cost_cells(costs: dict[str, float]) -> tuple[Cell, ...]:
    return (
        f"{costs['fit_seconds']:.1f}",
        f"{costs['p50_ms']:.2f}",
        f"{costs['p99_ms']:.2f}",
        f"{costs['batch_per_second']:,.0f}",
        f"{costs['size_bytes'] / _MILLION:.1f}",
        f"{costs['peak_bytes'] / _MILLION:,.0f}",
    )


def _verdict(table: dict[str, Any]) -> str:
    """Return the winner of each contest and its margin, as sentences."""
    by_name = {row["name"]: row for row in table["candidates"]}
    ours = by_name.pop(SHIPPED)
    won, lost = [], []
    for key, sign in _CONTEST.items():
        best = max(by_name.values(), key=lambda row: sign * row[key])
        margin = sign * (ours[key] - best[key])
        if margin > 0:
            won.append(f"{_QUALITY[key]} (by {margin:.4f}, next {best['title']})")
        else:
            lost.append(f"{best['title']} is ahead in {_QUALITY[key]} by {-margin:.4f}")
    sentences = []
    if won:
        sentences.append(f"Aisle is the best in {', '.join(won)}.")
    sentences += [f"{clause[0].upper()}{clause[1:]}." for clause in lost]
    return " ".join(sentences)


def _left_out(summary: dict[str, Any]) -> Iterator[str]:
    if summary["left_out"]:
        yield "## Left out"
        yield "\n".join(f"* {name}: {why}" for name, why in summary["left_out"].items())


def _pictures(pictures: Sequence[Picture]) -> Iterator[str]:
    if pictures:
        yield "## Pictures"
    for picture in pictures:
        yield f"![{picture.caption}](results/{picture.name})"


def _levels(summary: dict[str, Any]) -> Iterator[str]:
    if not summary["levels"]:
        return
    yield "## What Aisle's confidence is worth, level by level"
    yield (
        "For the products labelled at least that deep: the share whose answer at that level passes "
        "a threshold (coverage), and the share of those that are right (precision). The bundle's "
        "own thresholds were set for 98 %, cross-fitted on its training products; the others were "
        "set on the other folds. All are measured on held-out products."
    )
    for inputs, levels in summary["levels"].items():
        yield f"{_INPUTS[inputs].capitalize()}:"
        asked = [checked["asked"] for checked in levels[0]["at"]]
        yield rows_of(
            (
                "level",
                "products",
                "accuracy",
                "bundle's own: precision at coverage",
                *(f"{precision:.0%}: precision at coverage" for precision in asked),
            ),
            (
                (
                    level["level"],
                    level["products"],
                    level["accuracy"],
                    _at(level["bundle"]),
                    *(_at(checked) for checked in level["at"]),
                )
                for level in levels
            ),
        )


def _situations(summary: dict[str, Any]) -> Iterator[str]:
    tables = [table for table in summary["tables"] if table["situations"]]
    if not tables:
        return
    yield "## When fields are missing"
    yield (
        "The model trained on all fields, on products with only some of them. Each row counts the "
        "products that have at least one of its fields."
    )
    yield rows_of(
        ("given", "classes", "products", "accuracy", "macro-F1", "AUC", "log loss", "ECE"),
        (
            (
                situation["situation"],
                table["classes"],
                situation["products"],
                *(
                    situation.get(key)
                    for key in ("accuracy", "macro_f1", "auc", "log_loss", "calibration_error")
                ),
            )
            for table in tables
            for situation in table["situations"]
        ),
    )


def _finetuned(summary: dict[str, Any]) -> Iterator[str]:
    finetuned = summary.get("finetuned")
    if not finetuned:
        return
    yield "## MiniLM fine-tuned end to end"
    yield (
        f"On fold {finetuned['fold']} only, like all other candidates here: one training on the "
        "categories with enough products, folded late into both tables."
    )
    for table in finetuned["tables"]:
        yield f"{_INPUTS[table['inputs']].capitalize()}, {table['classes']} classes:"
        yield rows_of(
            ("", "accuracy", "macro-F1", "AUC", "log loss", "ECE", "train, s", "p50, ms", "MB"),
            (
                (
                    candidate["title"],
                    *(
                        candidate[key]
                        for key in ("accuracy", "macro_f1", "auc", "log_loss", "calibration_error")
                    ),
                    f"{candidate['costs']['fit_seconds']:.0f}",
                    f"{candidate['costs']['p50_ms']:.2f}",
                    f"{candidate['costs']['size_bytes'] / _MILLION:.1f}",
                )
                for candidate in table["candidates"]
            ),
        )


def _research(summary: dict[str, Any]) -> Iterator[str]:
    findings = summary.get("research") or []
    if findings:
        yield "# Research that decides"
        yield (
            "The instrument is a linear SVM on TF-IDF, cross-validated in three grouped folds of "
            "the products outside the training job's frozen test. In a pair of figures, the first "
            "is of the table of 100, the second of the table of 20."
        )
    for finding in findings:
        yield f"## {finding['title']}"
        yield finding["sentence"]
        yield rows_of(finding["columns"], finding["rows"])


def rows_of(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> str:
    """Return a Markdown table, with fractions to four digits.

    >>> print(rows_of(("", "accuracy"), [("linear", 0.93261)]))
    | | accuracy |
    | --- | ---: |
    | linear | 0.9326 |
    """
    columns = list(columns)
    lines = [_line(columns), "| --- |" + " ---: |" * (len(columns) - 1)]
    for row in rows:
        cells = [*map(_cell, row)]
        lines.append(_line(cells + [""] * (len(columns) - len(cells))))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|")


def _interval(gain: dict[str, float]) -> str:
    return f"{gain['difference']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"


def _percent(value: float | None) -> str:
    return "none passes" if value is None else f"{value:.1%}"


def _at(checked: dict[str, float | None]) -> str:
    if checked["precision"] is None:
        return "none passes"
    return f"{checked['precision']:.1%} at {checked['coverage']:.1%}"
