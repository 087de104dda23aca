"""`aisle compare`: benchmark the shipped model against its alternatives."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from aisle.cli.context import Context
from aisle.cli.options import ColumnsOption, MappingOption, SeparatorOption

_QUICK_PRODUCTS = 2500
_QUICK_FOLDS = "0,1"
_ALL_FOLDS = "0,1,2,3,4"


def compare(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL|s3://…",
            help="A labelled catalogue, as for `aisle train`. Default: the Best Buy open data set, "
            "downloaded once (about 50 MB).",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A candidate to run; may be repeated. See --list."),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:CLASS",
            help="A candidate of your own, such as shop_models:KeywordRules: a class with `fit` "
            "and `predict_proba`, in the current folder or installed; may be repeated. See "
            "docs/CANDIDATES.md.",
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            metavar="N,…", help="Which of the five folds to run.", show_default=_ALL_FOLDS
        ),
    ] = None,
    min_count: Annotated[
        str | None,
        typer.Option(
            metavar="N,…",
            help="One table for each number: classes with fewer products are folded into `other`; "
            "1 folds nothing.",
            show_default="100,20, or 1 for a small shop if folding would leave fewer than half of "
            "its products or categories",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Run only the cheap candidates, on two folds of a sample: under 3 minutes.",
        ),
    ] = False,
    research: Annotated[
        bool | None,
        typer.Option(
            "--research/--no-research",
            help="Also run the research sections: cleaning, fields, folding, leak, chance, "
            "learning curve, label noise.",
            show_default="on, unless --quick or --only is given or no classes are folded",
        ),
    ] = None,
    with_finetuned: Annotated[
        bool,
        typer.Option(
            "--with-finetuned",
            help="Also fine-tune MiniLM end to end, on the text of one fold: half an hour on two "
            "cores. Needs torch and transformers, which are not part of `make research`.",
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="How many models to train in parallel, each on one core.")
    ] = 2,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write a report to this folder: RESULTS.md, and in results/ its figures and "
            "comparison.json. The demo page shows the report in benchmark/.",
        ),
    ] = None,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="List the candidates and any missing packages, and exit.")
    ] = False,
) -> None:
    """Cross-validate the shipped model and its alternatives on the same folds and inputs.

    There are five folds; products with the same description are always in the same fold. Each
    candidate is scored on held-out products, once with the text alone and once with manufacturer
    and price. Finished results are kept in the store, so the same command resumes an interrupted
    comparison. Candidates whose packages are missing are skipped, and the report says so; `make
    research` installs the packages.

    **Examples**

      aisle compare --data products.jsonl.gz --report benchmark

      aisle compare --data products.jsonl.gz --quick

      aisle compare --data shop.csv --columns name=title --only linear-svm --only aisle --folds 0

      aisle compare --data shop.csv --only aisle --candidate shop_models:KeywordRules
    """
    from aisle.errors import DataError
    from aisle_benchmark.candidates import PEERS, QUICK, plugged
    from aisle_benchmark.compare import Options, write
    from aisle_benchmark.compare import compare as run
    from aisle_benchmark.plan import make_plan
    from aisle_benchmark.reporting.summary import command_line
    from aisle_benchmark.research import SECTIONS

    if list_them:
        _list()
        return
    names = _checked_names(only or (QUICK if quick else PEERS), PEERS)
    fold_numbers = _numbers(folds or (_QUICK_FOLDS if quick else _ALL_FOLDS), "--folds", 0, 4)
    minimums = None if min_count is None else _numbers(min_count, "--min-count", 1)
    plugins = list(dict.fromkeys(candidate or ()))
    for spec in plugins:
        plugged.load(spec)  # fail before the slow part
    limit = _QUICK_PRODUCTS if quick else None
    catalogue = _catalogue(data, columns, mapping, separator, limit=limit)
    plan = make_plan(catalogue, candidates=[*names, *plugins], folds=fold_numbers, minima=minimums)
    if research if research is not None else not (quick or only or plan.unfolded):
        plan = replace(plan, sections=tuple(SECTIONS))
    options: Context = context.obj
    store = options.store()
    summary, outcome = run(plan, store, Options(workers, with_finetuned, command_line()))
    write(summary, store, catalogue.id, report)
    _print(summary)
    if outcome.failed:
        raise DataError(
            f"The comparison is incomplete: {_reasons(outcome.failed)}. Expected results of all "
            "candidates; those that finished are kept. Run the same command again to retry the "
            "rest."
        )


def _reasons(failed: dict[str, str]) -> str:
    """Join the reasons, each once, with the first run that failed for it.

    >>> _reasons({"mlp, text, fold 0": "no memory.", "mlp, text, fold 1": "no memory."})
    'mlp, text, fold 0 (and 1 more): no memory'
    """
    labels: dict[str, list[str]] = {}
    for label, reason in failed.items():
        labels.setdefault(reason.rstrip("."), []).append(label)
    return "; ".join(
        f"{first}{f' (and {len(more)} more)' if more else ''}: {reason}"
        for reason, (first, *more) in labels.items()
    )


def _catalogue(
    data: str | None,
    columns: str | None,
    mapping: Path | None,
    separator: str | None,
    *,
    limit: int | None,
) -> Any:  # noqa: ANN401  # its type is imported only at run time
    """Read the catalogue, or a sample of at most `limit` products."""
    from aisle.catalogue.columns import columns_from
    from aisle.catalogue.labelled import Skipped, read_labelled
    from aisle.catalogue.source import local_file
    from aisle.progress import say
    from aisle_benchmark import protocol
    from aisle_training.data.fetch import open_data_set

    column_names = columns_from(columns, mapping=mapping, separator=separator)
    path, _ = local_file(open_data_set() if data is None else data)
    skipped = Skipped()
    rows = list(read_labelled(path, columns=column_names, skipped=skipped))
    if skipped.reasons:
        say(f"{path.name}: rows left out: {skipped}.")
    if limit is not None:
        return protocol.make_catalogue(protocol.sample(rows, limit), shop_size=len(rows))
    return protocol.make_catalogue(rows, protocol.read_types(path, column_names))


def _numbers(text: str, option: str, least: int, most: int | None = None) -> list[int]:
    """Parse a comma-separated list of distinct whole numbers within bounds."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    in_bounds = all(least <= number and (most is None or number <= most) for number in numbers)
    if not numbers or not in_bounds or len(set(numbers)) < len(numbers):
        bounds = f"from {least} to {most}" if most is not None else f"of {least} or more"
        raise typer.BadParameter(
            f"{text!r} was given; expected whole numbers {bounds}, each once, separated by commas.",
            param_hint=option,
        )
    return numbers


def _checked_names(names: Iterable[str], candidates: Iterable[str]) -> list[str]:
    """Return the names as a list; raise BadParameter for one that is no candidate."""
    selected = list(names)
    unknown = [name for name in selected if name not in candidates]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} was given; expected one of {', '.join(candidates)}.",
            param_hint="--only",
        )
    return selected


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from aisle_benchmark.candidates import CANDIDATES, FINETUNED
    from aisle_benchmark.running.run import missing_packages

    table = Table("name", "model", "available")
    for name, candidate in CANDIDATES.items():
        missing = missing_packages(name)
        available = f"not installed: {', '.join(missing)}" if missing else "yes"
        table.add_row(name, candidate.title.replace("*", ""), available)
    console = Console()
    console.print(table)
    console.print(
        f"`make research` installs the missing packages, except those of {FINETUNED}: for that, "
        "run `pip install torch transformers` and add --with-finetuned. To add a candidate of your "
        "own, use --candidate; see docs/CANDIDATES.md."
    )


def _print(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for scores in summary["tables"]:
        minimum, other = scores["min_products"], scores["share_of_other"]
        folded = f" of at least {minimum} products, {other:.0%} other"
        table = Table(
            box=None,
            padding=(0, 1, 0, 0),
            title=f"{scores['inputs']}, {scores['classes']} classes"
            f"{', unfolded' if scores['unfolded'] else folded}",
            title_justify="left",
        )
        table.add_column("", no_wrap=True)
        headings = ("accuracy", "macro-F1", "AUC", "log loss", "ECE", "train s", "p50 ms")
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for candidate in scores["candidates"]:
            costs = candidate["costs"]
            table.add_row(
                candidate["name"],
                *(
                    f"{candidate[key]:.4f}"
                    for key in ("accuracy", "macro_f1", "auc", "log_loss", "calibration_error")
                ),
                f"{costs['fit_seconds']:.0f}",
                f"{costs['p50_ms']:.2f}",
            )
        console.print(table)
