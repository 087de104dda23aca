"""The report: tables and sentences in Markdown, made of a summary."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aisle_benchmark.candidates import SHIPPED
from aisle_benchmark.finding import Cell
from aisle_benchmark.plan import unfolded_because
from aisle_benchmark.protocol import Left
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
"""What the shipped model has to win, and whether more is better."""
_MILLION = 1e6
_INPUTS = {"text": "name and description", "attributes": "with manufacturer and price"}


def markdown(summary: dict[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the report of a summary, with its pictures beside it."""
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
    """Return what the demo page shows of a summary: the candidates' figures, the best first."""
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
                    # The page has no Markdown.
                    | {"title": candidate["title"].replace("*", "").replace("`", "")}
                    | {"costs": {key: candidate["costs"][key] for key in costs}}
                    for candidate in sorted(table["candidates"], key=lambda each: -each["macro_f1"])
                ]
            }
            for table in summary["tables"]
        ],
    }


def _head(summary: dict[str, Any]) -> Iterator[str]:
    data, about = summary["data"], summary["about"]
    libraries = ", ".join(f"{name} {found}" for name, found in about["libraries"].items())
    folds = len(summary["folds"])
    yield "# Results"
    yield (
        f"`{about['command']}` wrote this page on {about['date']}: {about['machine']}, Python "
        f"{about['python']}, {libraries}. Data: {data['products']:,} products in "
        f"{data['groups']:,} groups, SHA-256 `{data['sha256'][:16]}…`."
    )
    yield (
        f"Every figure is of products that the model had not seen: {folds} of five folds, all "
        "products with one description in the same fold. A label is the category's id at level "
        "3 (or the last one before); classes of fewer products in the whole file than said count "
        "as `other`. Choices such as an SVM's C are made inside each fold's training products. "
        "Fields, folds and labels are the same for all candidates. F1 and AUC are averaged over "
        "classes, AUC one against the rest; ECE is the expected calibration error in 15 bins of "
        "equal mass; ± is the standard deviation over the folds. As each product has one class "
        "and gets one, micro-F1 equals accuracy."
    )
    if summary["unfolded"]:
        yield (
            f"{' '.join(unfolded_because(Left(**left)) for left in summary['unfolded'])} A small "
            "shop is therefore compared unfolded: every category, down to level 3, is a class of "
            "its own, and nothing is `other`. Categories of a few products are hard for everyone; "
            "one whose products are all in one fold nobody can learn."
        )
    yield (
        "Each candidate trained and answered in a process of its own on one core, two at a time. "
        "All times are processor time, which on one core is what a machine with nothing else to do "
        "takes. Training seconds (median of the folds) include the features it shares with others; "
        "latencies go from raw product to probabilities, one product at a time; memory is the "
        "peak of the whole process, Python and libraries included."
    )
    if summary["outside"]:
        yield (
            f"From outside this project: {', '.join(f'`{name}`' for name in summary['outside'])}. "
            "As such a candidate may wait for another machine, its times are the wall clock's; its "
            "size is its pickle's, 0 where it has none."
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
                one["title"],
                *(one[key] for key in _QUALITY),
                one["deviation"]["accuracy"],
                one["deviation"]["macro_f1"],
            )
            for one in candidates
        ),
    )
    yield rows_of(
        ("", "train, s", "p50, ms", "p99, ms", "products/s", "size, MB", "memory, MB"),
        ((one["title"], *_cost_cells(one["costs"])) for one in candidates),
    )
    ahead = table["ahead"]
    if ahead:
        yield _verdict(table)
        yield "Aisle minus each peer on the same rows, with 95 % bootstrap intervals:"
        titles = {one["name"]: one["title"] for one in candidates}
        yield rows_of(
            ("", "accuracy", "macro-F1"),
            (
                (titles[name], _interval(one["accuracy"]), _interval(one["macro_f1"]))
                for name, one in ahead.items()
            ),
        )
    if table["coverage"]:
        yield (
            "Sure enough to be shown without review: thresholds on Aisle's confidence in its best "
            "class, each fold's set on the other folds:"
        )
        yield rows_of(
            ("precision asked for", "precision", "coverage"),
            (
                (_percent(one["asked"]), _percent(one["precision"]), _percent(one["coverage"]))
                for one in table["coverage"]
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
    """Say of each contest who wins it, and by how much."""
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
        "Of the products labelled at least that deep: the share whose answer at that level passes "
        "a threshold (coverage), and how many of those are right (precision). The thresholds in "
        "the bundle were set for 98 % on its own training folds, cross-fitted; the others on the "
        "other folds. All meet products that they never saw."
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
                *(f"{each:.0%}: precision at coverage" for each in asked),
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
        "The model that was trained on all fields, given only some of them; each row counts the "
        "products that have a field it gives."
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
        f"On fold {finetuned['fold']} alone, all others on the same fold: one training on the "
        "categories that have enough products, folded late to both tables."
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
            "A linear SVM on TF-IDF is the instrument, cross-validated in three grouped folds of "
            "the products outside the training job's frozen test. The two figures of a pair are "
            "of the tables of 100 and of 20."
        )
    for finding in findings:
        yield f"## {finding['title']}"
        yield finding["sentence"]
        yield rows_of(finding["columns"], finding["rows"])


def rows_of(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> str:
    """Return a Markdown table; fractions get four digits.

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
