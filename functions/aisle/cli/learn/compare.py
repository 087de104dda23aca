"""`aisle compare`: the model that ships beside what one would pick instead."""

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
            help="A labelled catalogue, as `aisle train` reads it. Without it, the whole Best Buy "
            "open data set is fetched once (about 50 MB).",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A candidate to run; may be given again. See --list."),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:CLASS",
            help="A candidate of your own to run beside them: a class with `fit` and "
            "`predict_proba`, from the current folder or installed, such as "
            "shop_models:KeywordRules; may be given again. See docs/CANDIDATES.md.",
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(metavar="N,…", help="Some of the five folds.", show_default=_ALL_FOLDS),
    ] = None,
    min_count: Annotated[
        str | None,
        typer.Option(
            metavar="N,…",
            help="A table for each: classes of fewer products count as `other`; 1 folds nothing.",
            show_default="100,20; 1 where that leaves a small shop fewer than half of its products "
            "or categories",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="The cheap candidates on two folds of a sample: under 3 minutes."
        ),
    ] = False,
    research: Annotated[
        bool | None,
        typer.Option(
            "--research/--no-research",
            help="The research sections too: cleaning, fields, folding, leak, chance, learning "
            "curve, label noise.",
            show_default="unless --quick, --only or unfolded",
        ),
    ] = None,
    with_finetuned: Annotated[
        bool,
        typer.Option(
            "--with-finetuned",
            help="MiniLM fine-tuned end to end too, on one fold of the text: half an hour on two "
            "cores. Needs torch and transformers, which `make research` does not install.",
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="How many run at a time, each on one core.")
    ] = 2,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write RESULTS.md and, in results/, its pictures and comparison.json to a folder "
            "too; the demo page shows the one in benchmark/.",
        ),
    ] = None,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="List the candidates and what they need, and exit.")
    ] = False,
) -> None:
    """Train and score the shipped model beside its peers, on the same folds and inputs.

    Products with the same description are in the same of five folds. Every candidate is scored on
    products that it did not see, with text alone and with manufacturer and price. What is finished
    is kept in the store: the same command goes on where it was stopped. Candidates whose packages
    are not there are left out, and the report says so; `make research` installs them.

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
    names = _known(only or (QUICK if quick else PEERS), PEERS)
    chosen = _numbers(folds or (_QUICK_FOLDS if quick else _ALL_FOLDS), "--folds", 0, 4)
    minima = None if min_count is None else _numbers(min_count, "--min-count", 1)
    outside = list(dict.fromkeys(candidate or ()))
    for spec in outside:
        plugged.load(spec)  # before anything takes long
    most = _QUICK_PRODUCTS if quick else None
    catalogue = _catalogue(data, columns, mapping, separator, most=most)
    plan = make_plan(catalogue, candidates=[*names, *outside], folds=chosen, minima=minima)
    if research if research is not None else not (quick or only or plan.unfolded):
        plan = replace(plan, sections=tuple(SECTIONS))
    options: Context = context.obj
    store = options.store()
    summary, outcome = run(plan, store, Options(workers, with_finetuned, command_line()))
    write(summary, store, catalogue.id, report)
    _print(summary)
    if outcome.failed:
        raise DataError(
            f"Not all of the comparison could be run. {_reasons(outcome.failed)}. Expected were "
            "results of all candidates; those that finished are kept. Give the same command again "
            "to try the rest."
        )


def _reasons(failed: dict[str, str]) -> str:
    """Say each reason once, with the first of those that it stopped.

    >>> _reasons({"mlp, text, fold 0": "no memory.", "mlp, text, fold 1": "no memory."})
    'mlp, text, fold 0 (and 1 more): no memory'
    """
    stopped: dict[str, list[str]] = {}
    for label, reason in failed.items():
        stopped.setdefault(reason.rstrip("."), []).append(label)
    return "; ".join(
        f"{first}{f' (and {len(more)} more)' if more else ''}: {reason}"
        for reason, (first, *more) in stopped.items()
    )


def _catalogue(
    data: str | None,
    columns: str | None,
    mapping: Path | None,
    separator: str | None,
    *,
    most: int | None,
) -> Any:  # noqa: ANN401  # its type is imported when it runs
    """Read the catalogue, a sample of it where `most` is given."""
    from aisle.catalogue.columns import columns_from
    from aisle.catalogue.labelled import Skipped, read_labelled
    from aisle.catalogue.source import local_file
    from aisle.progress import say
    from aisle_benchmark import protocol
    from aisle_training.data.fetch import open_data_set

    named = columns_from(columns, mapping=mapping, separator=separator)
    path, _ = local_file(open_data_set() if data is None else data)
    skipped = Skipped()
    rows = list(read_labelled(path, columns=named, skipped=skipped))
    if skipped.reasons:
        say(f"{path.name}: rows left out: {skipped}.")
    if most is not None:
        return protocol.make_catalogue(protocol.sample(rows, most), shop_size=len(rows))
    return protocol.make_catalogue(rows, protocol.read_types(path, named))


def _numbers(text: str, option: str, least: int, most: int | None = None) -> list[int]:
    """Read a list of whole numbers, each once."""
    try:
        found = [int(one) for one in text.split(",")]
    except ValueError:
        found = []
    good = all(least <= one and (most is None or one <= most) for one in found)
    if not found or not good or len(set(found)) < len(found):
        bounds = f"from {least} to {most}" if most is not None else f"of {least} or more"
        raise typer.BadParameter(
            f"{text!r} was given; expected whole numbers {bounds}, each once, separated by commas.",
            param_hint=option,
        )
    return found


def _known(names: Iterable[str], candidates: Iterable[str]) -> list[str]:
    """Refuse a name that no candidate has."""
    chosen = list(names)
    unknown = [name for name in chosen if name not in candidates]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} was given; expected one of {', '.join(candidates)}.",
            param_hint="--only",
        )
    return chosen


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from aisle_benchmark.candidates import CANDIDATES, FINETUNED
    from aisle_benchmark.running.run import missing_packages

    table = Table("name", "what it is", "here")
    for name, candidate in CANDIDATES.items():
        missing = missing_packages(name)
        here = f"not installed: {', '.join(missing)}" if missing else "yes"
        table.add_row(name, candidate.title.replace("*", ""), here)
    console = Console()
    console.print(table)
    console.print(
        f"`make research` installs what is missing, but for {FINETUNED}: `pip install torch "
        "transformers`, with --with-finetuned then. --candidate adds one of your own: "
        "docs/CANDIDATES.md."
    )


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for one in found["tables"]:
        folded = f" of at least {one['min_products']} products, {one['share_of_other']:.0%} other"
        table = Table(
            box=None,
            padding=(0, 1, 0, 0),
            title=f"{one['inputs']}, {one['classes']} classes"
            f"{', unfolded' if one['unfolded'] else folded}",
            title_justify="left",
        )
        table.add_column("", no_wrap=True)
        headings = ("accuracy", "macro-F1", "AUC", "log loss", "ECE", "train s", "p50 ms")
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for each in one["candidates"]:
            costs = each["costs"]
            table.add_row(
                each["name"],
                *(
                    f"{each[key]:.4f}"
                    for key in ("accuracy", "macro_f1", "auc", "log_loss", "calibration_error")
                ),
                f"{costs['fit_seconds']:.0f}",
                f"{costs['p50_ms']:.2f}",
            )
        console.print(table)
