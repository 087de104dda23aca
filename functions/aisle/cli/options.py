"""The options that several commands have: which catalogue, its columns, the parameters."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL|s3://…",
        help="A labelled catalogue, or its address: a JSON array, JSON lines, CSV or TSV, perhaps "
        "gzipped. Without it, the whole Best Buy open data set is fetched once (about 50 MB).",
    ),
]
TestDataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL|s3://…",
        help="A labelled file that is the frozen test; all of --data is then for training and "
        "validation. Without it, a part of --data is held out, by hash of the text.",
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD=COLUMN,…",
        help="The shop's own names for name, description, manufacturer, price, sku and category, "
        "the last perhaps in several columns: name=title,category=dept+aisle.",
    ),
]
MappingOption = Annotated[
    Path | None,
    typer.Option(help="The same from a TOML or JSON file; --columns goes before it."),
]
SeparatorOption = Annotated[
    str | None,
    typer.Option(
        help="What stands between the names of a category that is one text: Kitchen > Pans.",
        show_default=">",
    ),
]
ParametersOption = Annotated[
    Path | None,
    typer.Option(help="A file of parameters instead of the packaged parameters.toml."),
]
