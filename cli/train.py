"""`aisle train`: a catalogue in, a published model out."""

from pathlib import Path
from typing import Annotated

import typer

from cli.context import Context

DataOption = Annotated[
    Path | None,
    typer.Option(
        help="A labelled catalogue: a JSON array or JSON lines, perhaps gzipped. Without it, the "
        "whole Best Buy open data set is fetched (about 50 MB).",
    ),
]
TestDataOption = Annotated[
    Path | None,
    typer.Option(
        help="A labelled file that is the frozen test; all of --data is then for training and "
        "validation. Without it, a part of --data is held out, by hash of the text."
    ),
]
ParametersOption = Annotated[
    Path | None,
    typer.Option(help="A file of parameters instead of training/parameters.toml."),
]


def train(
    context: typer.Context,
    data: DataOption = None,
    test_data: TestDataOption = None,
    parameters: ParametersOption = None,
) -> None:
    """Train a model on a labelled catalogue, test it, and publish it to the store.

    All stages run: ingest, prepare, fit, export, evaluate, publish. The model is published if it
    passes the gate; otherwise the exit code is 3 and the store serves what it served before.

    **Examples**

      aisle train --data products.jsonl.gz

      aisle --store shops/acme train --data acme.json --test-data acme-test.json
    """
    from training.fetch import open_data_set
    from training.parameters import DEFAULT, load
    from training.pipeline import Trainer

    options: Context = context.obj
    trainer = Trainer(options.store(), load(parameters or DEFAULT))
    verdict = trainer.train(data or open_data_set(), test_data=test_data)
    typer.echo(verdict.version)
