"""`aisle train`: a catalogue in, a published model out."""

from typing import Annotated

import typer

from aisle.cli.context import Context
from aisle.cli.options import (
    ColumnsOption,
    DataOption,
    MappingOption,
    ParametersOption,
    SeparatorOption,
    TestDataOption,
)


def train(
    context: typer.Context,
    data: DataOption = None,
    test_data: TestDataOption = None,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    parameters: ParametersOption = None,
    feedback: Annotated[
        bool,
        typer.Option(
            "--feedback",
            help="Train on the catalogue in the store plus the feedback. If the store has no "
            "catalogue yet, --data is ingested first.",
        ),
    ] = False,
    run: Annotated[
        str | None,
        typer.Option(help="An id for this training job; the id of a killed one resumes it."),
    ] = None,
    why: Annotated[str, typer.Option(help="The reason, for the audit record.")] = "aisle train",
) -> None:
    """Train a model on a labelled catalogue, test it, and publish it to the store.

    The stages are ingest, prepare, fit, export, evaluate, gate and publish. The model is published
    if it passes the gate; otherwise the exit code is 3 and the serving model stays the same.
    After an interruption, the same command resumes after the last finished stage.

    **Examples**

      aisle train --data products.jsonl.gz

      aisle --store shops/acme train --data acme.json --test-data acme-test.json

      aisle train --data shop.csv --columns name=title,description=body,category=dept+aisle

      aisle train --data https://shop.example/products.tsv.gz --mapping shop.toml --separator /

      aisle train --feedback --why "the drones are wrong"
    """
    from dataclasses import asdict

    from aisle.catalogue.columns import columns_from
    from aisle.registry.audit import Occasion, user
    from aisle_training.data.fetch import open_data_set
    from aisle_training.job import TrainingJob
    from aisle_training.parameters import DEFAULT, load
    from aisle_training.pipeline import Trainer
    from aisle_training.retrain import retrain

    options: Context = context.obj
    store, settings = options.store(), load(parameters or DEFAULT)
    if feedback:
        if test_data or columns or mapping or separator:
            raise typer.BadParameter(
                "Of the catalogue options, --feedback takes only --data. To train on a catalogue "
                "with its own column names, first run aisle train without --feedback."
            )
        typer.echo(retrain(store, settings, run=run, why=why, data=data).version)
        return
    column_names = columns_from(columns, mapping=mapping, separator=separator)
    request = {"data": data, "test_data": test_data, "columns": repr(column_names)}
    job = TrainingJob.start(store, request | {"train": asdict(settings)}, run=run)
    with job.working():
        source = open_data_set() if data is None else data
        trainer = Trainer(store, settings, job, Occasion(user(), why, job.id))
        verdict = trainer.train(source, test_data=test_data, columns=column_names)
    typer.echo(verdict.version)
