"""`aisle stage …`: the stages of the training job, one at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from aisle_training.pipeline import Trainer

app = typer.Typer(
    no_args_is_help=True,
    help="Run one stage of the training job: ingest, prepare, fit, export, evaluate, gate, "
    "publish. Each stage prints the id that the next one takes.",
)

SnapshotArgument = Annotated[str, typer.Argument(help="The id that `aisle stage ingest` printed.")]
PreparedArgument = Annotated[str, typer.Argument(help="The id that `aisle stage prepare` printed.")]
BuildArgument = Annotated[str, typer.Argument(help="The id that `aisle stage fit` printed.")]


@app.command()
def ingest(
    context: typer.Context,
    data: DataOption = None,
    test_data: TestDataOption = None,
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
) -> None:
    """Write a catalogue to the store as an immutable snapshot; print its id.

    **Examples**

      aisle stage ingest --data products.jsonl.gz

      aisle stage ingest --data products.csv --columns name=title,category=dept+aisle
    """
    from aisle.catalogue.columns import columns_from
    from aisle_training.data.fetch import open_data_set

    column_names = columns_from(columns, mapping=mapping, separator=separator)
    source = open_data_set() if data is None else data
    typer.echo(_trainer(context).ingest(source, test_data=test_data, columns=column_names))


@app.command()
def prepare(
    context: typer.Context, snapshot: SnapshotArgument, parameters: ParametersOption = None
) -> None:
    """Clean and split a snapshot; print the id of the prepared data.

    **Example**

      aisle stage prepare 9f6c6dfceb63
    """
    typer.echo(_trainer(context, parameters).prepare(snapshot))


@app.command()
def fit(
    context: typer.Context, prepared: PreparedArgument, parameters: ParametersOption = None
) -> None:
    """Select and fit a model on prepared data; print the id of the build.

    **Example**

      aisle stage fit a3879933a41a
    """
    typer.echo(_trainer(context, parameters).fit(prepared))


@app.command()
def export(
    context: typer.Context, build: BuildArgument, parameters: ParametersOption = None
) -> None:
    """Export a build as a bundle, and check that it predicts what the trained model does.

    **Example**

      aisle stage export 8ad0de3ecd63
    """
    _trainer(context, parameters).export(build)
    typer.echo(build)


@app.command()
def evaluate(context: typer.Context, build: BuildArgument) -> None:
    """Score a build's bundle on the frozen test.

    **Example**

      aisle stage evaluate 8ad0de3ecd63
    """
    _trainer(context).evaluate(build)
    typer.echo(build)


@app.command()
def gate(context: typer.Context, build: BuildArgument, parameters: ParametersOption = None) -> None:
    """Run the gate: check a build's bundle by itself and against the serving model.

    **Example**

      aisle stage gate 8ad0de3ecd63
    """
    _trainer(context, parameters).gate(build)
    typer.echo(build)


@app.command()
def publish(
    context: typer.Context, build: BuildArgument, parameters: ParametersOption = None
) -> None:
    """Publish a build's bundle, so that it serves; exit code 3 if the gate refused it.

    **Example**

      aisle stage publish 8ad0de3ecd63
    """
    typer.echo(_trainer(context, parameters).publish(build).version)


def _trainer(context: typer.Context, parameters: Path | None = None) -> "Trainer":
    from aisle_training.parameters import DEFAULT, load
    from aisle_training.pipeline import Trainer

    options: Context = context.obj
    return Trainer(options.store(), load(parameters or DEFAULT))
