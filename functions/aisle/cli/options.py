"""Options that several commands share: the catalogue, its columns, the parameters."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL|s3://…",
        help="The labelled catalogue: a JSON array, JSON lines, CSV or TSV, optionally gzipped. "
        "Default: the Best Buy open data set, downloaded once (about 50 MB).",
    ),
]
TestDataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL|s3://…",
        help="A labelled file to use as the frozen test; all of --data then goes to training and "
        "validation. Default: a part of --data is held out, chosen by a hash of the text.",
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD=COLUMN,…",
        help="Which column holds which field, as in name=title,category=dept+aisle. Fields: sku, "
        "name, description, manufacturer, price, category. A category may span several columns, "
        "root first.",
    ),
]
MappingOption = Annotated[
    Path | None,
    typer.Option(
        help="A TOML or JSON file that names the columns and the separator; --columns and "
        "--separator override it."
    ),
]
SeparatorOption = Annotated[
    str | None,
    typer.Option(
        help="The separator between the levels of a category path in one column, such as "
        "Kitchen > Pans.",
        show_default=">",
    ),
]
ParametersOption = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file with the training parameters. Default: the packaged parameters.toml."
    ),
]
