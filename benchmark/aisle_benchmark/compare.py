"""The whole comparison: run what is missing, then write figures, report and charts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aisle.progress import say
from aisle.store import Store, layout
from aisle_benchmark import results
from aisle_benchmark.candidates import CANDIDATES, FINETUNED
from aisle_benchmark.plan import Plan, PlanOutcome
from aisle_benchmark.reporting import plots, report
from aisle_benchmark.reporting.summary import summarise, summarise_table
from aisle_benchmark.research import SECTIONS
from aisle_benchmark.running.run import run
from aisle_training.figures import to_json

FIGURES = "compare.json"
REPORT = "RESULTS.md"
BRIEF = "comparison.json"
PICTURES = "results"


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a plan: the number of workers, and whether to fine-tune MiniLM on one fold."""

    workers: int
    with_finetuned: bool
    command: str


def compare(plan: Plan, store: Store, options: Options) -> tuple[dict[str, Any], PlanOutcome]:
    """Run a plan, with results in the store; return the summary and what is missing or failed."""
    outcome = run(plan, store, workers=options.workers)
    alone = replace(
        plan,
        candidates=(FINETUNED,),
        folds=plan.folds[:1],
        tables=tuple(table for table in plan.tables if table.inputs == "text"),
        sections=(),
    )
    if options.with_finetuned:
        finetuned = run(alone, store, workers=1)
        outcome = PlanOutcome(
            outcome.missing | finetuned.missing, outcome.failed | finetuned.failed
        )
    summary = summarise(plan, store, outcome, command=options.command)
    summary["research"] = _findings(plan, store)
    if any(_has_finetuned(store, alone, table.min_products) for table in alone.tables):
        with_others = replace(alone, candidates=(*plan.candidates, FINETUNED))
        summary["finetuned"] = {
            "fold": alone.folds[0],
            "tables": [summarise_table(with_others, store, table) for table in alone.tables],
        }
    return summary, outcome


def write(summary: dict[str, Any], store: Store, data_id: str, folder: Path | None) -> None:
    """Write figures, report and charts to the store, and the published part to a folder.

    The published part is the report, its charts, and the figures that the demo page shows.
    """
    pictures = plots.draw(summary)
    text = report.markdown(summary, pictures).encode()
    store.put(layout.comparison_report(data_id, FIGURES), to_json(summary))
    store.put(layout.comparison_report(data_id, REPORT), text)
    for picture in pictures:
        store.put(layout.comparison_report(data_id, picture.name), picture.png)
    say(f"Report: {store.url}/{layout.comparison_report(data_id, REPORT)}")
    if folder is not None:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_bytes(text)
        (folder / PICTURES / BRIEF).write_bytes(to_json(report.brief(summary)))
        for picture in pictures:
            (folder / PICTURES / picture.name).write_bytes(picture.png)
        say(f"Copied to: {folder / REPORT}")


def _has_finetuned(store: Store, plan: Plan, minimum: int) -> bool:
    """Tell whether the fine-tuned model has a result, from this run or an earlier one."""
    return any(
        store.exists(
            results.result_key(plan.catalogue.id, CANDIDATES[FINETUNED], table, plan.folds[0])
        )
        for table in plan.tables
        if table.min_products == minimum
    )


def _findings(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """Return the findings of the plan's sections that the store has."""
    return [
        {"name": name, "title": SECTIONS[name].title, **finding}
        for name in plan.sections
        if (finding := results.load_finding(store, plan.catalogue.id, SECTIONS[name])) is not None
    ]
