"""`aisle model …`: what the model that serves is, and whether it is whole."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context

if TYPE_CHECKING:
    from aisle.bundle import Bundle

app = typer.Typer(no_args_is_help=True, help="Look at models, and check them.")

VersionArgument = Annotated[
    str | None,
    typer.Argument(help="A version in the store; without it, the model that serves."),
]
FolderOption = Annotated[
    Path | None, typer.Option(help="A bundle in a folder, instead of one in the store.")
]


@app.command()
def show(
    context: typer.Context,
    version: VersionArgument = None,
    folder: FolderOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest and the metrics as JSON.")
    ] = False,
) -> None:
    """Show a model's card: what it was trained on, and how good it is.

    **Example**

      aisle model show --json
    """
    from aisle.bundle import METRICS, MODEL_CARD

    found = _bundle(context, version, folder)
    if as_json:
        facts = {"manifest": asdict(found.manifest), "metrics": found.json(METRICS)}
        typer.echo(json.dumps(facts, indent=2))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(found.files[MODEL_CARD].decode()))


@app.command()
def verify(
    context: typer.Context, version: VersionArgument = None, folder: FolderOption = None
) -> None:
    """Check that a model is whole, loads, and decides as it did where it was exported.

    **Example**

      aisle model verify --folder functions/aisle/packaged
    """
    from aisle.classifier import Classifier
    from aisle.golden import replay

    found = _bundle(context, version, folder)
    examples = replay(found, Classifier(found))
    typer.echo(
        f"Model {found.manifest.model_version} is whole: {len(found.files)} files match their "
        f"hashes, {examples} golden examples are decided as before."
    )


@app.command()
def save(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="The folder to write the bundle to.")],
    version: VersionArgument = None,
) -> None:
    """Write a model's bundle to a folder, with the report of the run that made it where one is kept.

    **Example**

      aisle model save functions/aisle/packaged
    """
    from aisle import bundle, keys
    from aisle.errors import ObjectNotFoundError

    found = _bundle(context, version, None)
    bundle.write(to, found)
    options: Context = context.obj
    key = keys.report_file(found.manifest.model_version, "report.json")
    with suppress(ObjectNotFoundError):
        (to / "report.json").write_bytes(options.store().get(key).data)
    typer.echo(f"Model {found.manifest.model_version} was written to {to}.")


def _bundle(context: typer.Context, version: str | None, folder: Path | None) -> "Bundle":
    from aisle import bundle, registry

    options: Context = context.obj
    if folder is not None and version is not None:
        raise typer.BadParameter("Give a version or --folder, not both.")
    if folder is not None:
        return bundle.read(folder)
    if version is not None:
        return registry.fetch_bundle(options.store(), version)
    return options.bundle()
