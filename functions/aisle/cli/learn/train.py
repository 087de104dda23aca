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
            help="Train on the store's catalogue again, and on what people said since. --data is "
            "ingested first where the store has no catalogue yet.",
        ),
    ] = False,
    run: Annotated[
        str | None, typer.Option(help="The id of this run; with that of a killed one, go on.")
    ] = None,
    why: Annotated[str, typer.Option(help="Why, for the record.")] = "aisle train",
) -> None:
    """Train a model on a labelled catalogue, test it, and publish it to the store.

    All stages run: ingest, prepare, fit, export, evaluate, gate, publish. The model is published if
    it passes the gate; otherwise the exit code is 3 and the store serves what it served before.
    Killed and started again, training goes on behind the last stage that was finished.

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
    store, chosen = options.store(), load(parameters or DEFAULT)
    if feedback:
        if test_data or columns or mapping or separator:
            raise typer.BadParameter(
                "Of the options for a catalogue, --feedback takes --data alone. To train on a "
                "catalogue with columns of its own, run aisle train without --feedback first."
            )
        typer.echo(retrain(store, chosen, run=run, why=why, data=data).version)
        return
    named = columns_from(columns, mapping=mapping, separator=separator)
    request = {"data": data, "test_data": test_data, "columns": repr(named)}
    job = TrainingJob.start(store, request | {"train": asdict(chosen)}, run=run)
    with job.working():
        source = open_data_set() if data is None else data
        trainer = Trainer(store, chosen, job, Occasion(user(), why, job.id))
        verdict = trainer.train(source, test_data=test_data, columns=named)
    typer.echo(verdict.version)
