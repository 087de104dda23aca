"""Entry point: the commands, their shared options, and how an error is reported."""

import sys
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from aisle import __version__
from aisle.cli.context import DEFAULT_STORE, Context
from aisle.cli.learn import compare, data, evaluate, retrain, stage, train
from aisle.cli.manage import feedback, keys, model
from aisle.cli.use import classify, openapi, predict, serve
from aisle.errors import AisleError, PublicationRefusedError

EXIT_USAGE = 2
EXIT_REFUSED = 3
# The extra that installs each optional module, by import name.
EXTRAS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("boto3", "botocore"), "s3"),
    **dict.fromkeys(("cleanlab", "joblib", "lightgbm", "matplotlib"), "training"),
    **dict.fromkeys(("onnx", "onnxmltools", "scipy", "sklearn"), "training"),
}
# Part of every installation, but left out of some images.
PROJECT: Final = ("aisle_benchmark", "aisle_training")

app = typer.Typer(
    name="aisle",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 success; 2 an error in usage, data or store; 3 the gate refused the model "
        "and nothing changed; 130 stopped by Ctrl-C. Results go to standard output, progress and "
        "errors to standard error."
    ),
)
app.command()(serve.serve)
app.command()(predict.predict)
app.command()(classify.classify)
app.command()(train.train)
app.command()(retrain.retrain)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(openapi.openapi)
app.add_typer(data.app, name="data")
app.add_typer(feedback.app, name="feedback")
app.add_typer(keys.app, name="keys")
app.add_typer(model.app, name="model")
app.add_typer(stage.app, name="stage")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"aisle {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    store: Annotated[
        str,
        typer.Option(
            envvar="AISLE_STORE",
            help="Where data sets, models and feedback are kept: a folder, file://… or "
            "s3://bucket/prefix. If it has no published model, the packaged model is used.",
        ),
    ] = DEFAULT_STORE,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Which aisle does this product belong in?

    Classify products into a shop's categories, train on a shop's own catalogue, and serve the
    result.
    """
    context.obj = Context(store)


def main() -> None:
    """Run the command line; a known error ends with an exit code, never with a stack trace."""
    try:
        app()
    except PublicationRefusedError as error:
        _fail(error, EXIT_REFUSED)
    except AisleError as error:
        _fail(error, EXIT_USAGE)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module in PROJECT:
            _fail(
                f"This command needs {module}, which is not installed: the training job's image "
                "leaves it out. Run the command in a full installation of aisle.",
                EXIT_USAGE,
            )
        if module not in EXTRAS:
            raise
        extra = EXTRAS[module]
        _fail(
            f"This command needs {module}, which is not installed. Expected the extra {extra!r}. "
            f'Run: pip install "aisle[{extra}]"',
            EXIT_USAGE,
        )


def _fail(error: AisleError | str, code: int) -> None:
    typer.echo(f"aisle: {error}", err=True)
    sys.exit(code)
