"""`aisle data …`: inspect catalogues and snapshots."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aisle.cli.context import Context
from aisle.cli.options import ColumnsOption, MappingOption, SeparatorOption

if TYPE_CHECKING:
    from aisle.catalogue.columns import Columns

app = typer.Typer(no_args_is_help=True, help="Inspect catalogues and snapshots.")

SourceArgument = Annotated[
    str, typer.Argument(metavar="FILE|URL|s3://…", help="The catalogue, as for `aisle train`.")
]


@app.command()
def sample(
    source: SourceArgument,
    count: Annotated[int, typer.Argument(min=1, help="How many products to draw.")] = 10,
    seed: Annotated[int, typer.Option(help="The seed of the random draw.")] = 0,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
) -> None:
    """Print a random sample of products, as JSON lines with Aisle's field names.

    **Example**

      aisle data sample products.csv 20 --columns name=title
    """
    import random

    from aisle.catalogue.records import read_records

    generator = random.Random(seed)  # noqa: S311  # sampling, not security
    drawn: list[tuple[int, dict[str, Any]]] = []
    records = read_records(source, columns=_columns(columns, mapping, separator))
    for number, record in enumerate(records):
        # Reservoir sampling (Vitter 1985): a uniform sample without knowing the number of rows.
        at = number if number < count else generator.randrange(number + 1)
        if at < count:
            drawn[at : at + 1] = [(number, record.fields)]
    for _, fields in sorted(drawn, key=lambda pair: pair[0]):
        typer.echo(json.dumps(fields))


@app.command()
def describe(
    source: SourceArgument,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Draw the figures to this folder, as SVG.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Describe a labelled catalogue: counts, categories, missing fields, contradicting labels.

    **Example**

      aisle data describe products.jsonl.gz --pictures pictures
    """
    from aisle.catalogue.labelled import Skipped, read_labelled
    from aisle.progress import say, track
    from aisle_training.data.describe import describe as count
    from aisle_training.data.pictures import draw

    skipped = Skipped()
    column_names = _columns(columns, mapping, separator)
    rows = read_labelled(source, columns=column_names, skipped=skipped)
    description = count(track(rows, "reading"))
    if skipped.reasons:
        say(f"Rows left out: {skipped}.")
    if pictures is not None:
        for path in draw(description, pictures):
            say(f"Drawn: {path}")
    if as_json:
        typer.echo(json.dumps(description))
    else:
        _print(description)


@app.command()
def snapshots(context: typer.Context) -> None:
    """List the snapshots in the store.

    **Example**

      aisle --store shops/acme data snapshots
    """
    from rich.console import Console
    from rich.table import Table

    from aisle_training.data.ingest import list_snapshots

    options: Context = context.obj
    table = Table("snapshot", "products", "test products", "rows left out", "sources")
    for snapshot in list_snapshots(options.store()):
        table.add_row(
            snapshot.id,
            str(snapshot.products),
            str(snapshot.test_products),
            str(snapshot.rejected),
            ", ".join(source["file"] for source in snapshot.sources),
        )
    Console().print(table)


def _columns(columns: str | None, mapping: Path | None, separator: str | None) -> "Columns":
    from aisle.catalogue.columns import columns_from

    return columns_from(columns, mapping=mapping, separator=separator)


def _print(description: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(f"{description['products']} products in {description['categories']} categories")
    levels = Table("level", "products", "categories", title="Labelled at least this deep")
    for level in description["levels"]:
        levels.add_row(*map(str, level.values()))
    sizes = Table("at least", "categories", "share of products", title="Products per category")
    for size in description["category_sizes"]:
        share = f"{size['products']:.1%} {'█' * round(20 * size['products'])}"
        sizes.add_row(str(size["at_least"]), str(size["categories"]), share)
    common = Table("category", "products", title="Largest categories")
    for category in description["commonest"]:
        common.add_row(Text(category["category"]), str(category["products"]))
    for table in (levels, sizes, common):
        console.print(table)
    missing = ", ".join(f"{field} {count}" for field, count in description["missing"].items())
    console.print(f"Missing values: {missing}.")
    for field, percentiles in description["characters"].items():
        lengths = ", ".join(f"{at} %: {length}" for at, length in percentiles.items())
        console.print(f"Percentiles of the {field}'s length in characters: {lengths}.")
    console.print(
        f"{description['repeated_texts']} products share their text with another product; "
        f"{description['contradictory_texts']} texts are in more than one category."
    )
