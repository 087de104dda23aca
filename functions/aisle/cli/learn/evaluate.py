"""`aisle evaluate`: score the model on a labelled file."""

import json
from typing import Annotated, Any

import typer

from aisle.cli.context import Context
from aisle.cli.options import ColumnsOption, MappingOption, SeparatorOption


def evaluate(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE|URL|s3://…",
            help="The labelled products to score on. The model must not have been trained on them.",
        ),
    ],
    fields: Annotated[
        str, typer.Option(help="The fields to give to the model, separated by commas.")
    ] = "name,description,manufacturer,price",
    min_count: Annotated[
        int,
        typer.Option(
            min=1,
            help="For the folded figures: categories with fewer products in the model's snapshot "
            "count as `other`.",
        ),
    ] = 100,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Score the store's model on labelled products, at each level of the category path.

    Labels are compared by id, or by name if they have no id. A prediction counts as wrong if its
    path ends above the level, or if the product's label was not in the training data.

    **Examples**

      aisle evaluate --data unseen.jsonl.gz

      aisle --store shops/acme evaluate --data test.json --fields name,description --json

      aisle evaluate --data unseen.csv --columns name=title,category=dept+aisle
    """
    from aisle.catalogue.columns import columns_from
    from aisle.catalogue.labelled import Skipped, read_labelled
    from aisle.catalogue.source import local_file
    from aisle.product import FIELDS
    from aisle.progress import say
    from aisle_training.release.evaluate import evaluate as score

    selected = [field.strip() for field in fields.split(",")]
    unknown = [field for field in selected if field not in FIELDS]
    if unknown or len(set(selected)) < len(selected):
        raise typer.BadParameter(
            f"{fields!r} was given; expected a list of {', '.join(FIELDS)}, each once, separated "
            "by commas.",
            param_hint="--fields",
        )
    skipped = Skipped()
    column_names = columns_from(columns, mapping=mapping, separator=separator)
    path, _ = local_file(data)
    rows = list(read_labelled(path, columns=column_names, skipped=skipped))
    if skipped.reasons:
        say(f"{path.name}: rows left out: {skipped}.")
    options: Context = context.obj
    result = score(options.classifier(), rows, fields=selected, min_count=min_count)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _print_table(result)


def _print_table(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    folded = result["folded"]
    table = Table(
        title=f"Model {result['model_version']} on {result['rows']} products "
        f"({', '.join(result['fields'])})",
        title_justify="left",
    )
    table.add_column("compared")
    for heading in ("products", "categories", "accuracy", "macro-F1", "weighted F1"):
        table.add_column(heading, justify="right")
    rows = [(f"level {level['level']}", level) for level in result["levels"]]
    rows.append(("last category", result["leaf"]))
    rows.append((f"fewer than {folded['min_count']} products: other", folded))
    for name, figures in rows:
        table.add_row(
            name,
            str(figures["rows"]),
            str(figures["labels"]),
            *(f"{figures[key]:.4f}" for key in ("accuracy", "macro_f1", "weighted_f1")),
        )
    console = Console()
    console.print(table)
    console.print(
        f"Expected calibration error: {result['calibration_error']:.4f} of the confidence in the "
        f"category, {folded['calibration_error']:.4f} folded."
    )
