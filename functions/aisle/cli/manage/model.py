"""`aisle model …`: list, compare, check and switch models."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aisle.cli.context import Context

if TYPE_CHECKING:
    from aisle.model.bundle import Bundle

app = typer.Typer(no_args_is_help=True, help="List and check models; choose which one serves.")

VersionArgument = Annotated[
    str | None,
    typer.Argument(help="A model version in the store. Default: the serving model."),
]
FolderOption = Annotated[
    Path | None, typer.Option(help="Read the bundle from this folder instead of the store.")
]
WhyOption = Annotated[str, typer.Option(help="The reason, for the audit record.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the store's models, newest first, with state and accuracy.

    The states are those of `GET /v1/models`, and "stored" for a model that is in the store but has
    no audit record.

    **Example**

      aisle --store shops/acme model list
    """
    from aisle.registry.models import models
    from aisle.registry.pointer import read_pointer

    options: Context = context.obj
    store = options.store()
    listed = models(store)
    if as_json:
        typer.echo(json.dumps([asdict(model) for model in listed], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in ("version", "created", "state", "accuracy"):
        table.add_column(column, no_wrap=True)
    table.add_column("why")
    for model in listed:
        accuracy = "" if model.accuracy is None else f"{model.accuracy:.4f}"
        created = (model.created_at or "")[:19]
        table.add_row(model.version, created, model.state, accuracy, model.why or "")
    Console().print(table)
    if read_pointer(store) is None:
        typer.echo(
            "No model has been published; the packaged one serves. Train one with: aisle train"
        )


@app.command()
def compare(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="A model version.")],
    other: Annotated[
        str | None, typer.Argument(help="The version to compare with. Default: the serving model.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two models in the store by their figures on the frozen test.

    **Example**

      aisle model compare 9bd143b57fb9
    """
    from aisle.model.bundle import METRICS

    bundles = [_bundle(context, which, None) for which in (version, other)]
    tests = {bundle.manifest.dataset["test_sha256"] for bundle in bundles}
    figures = [_figures(bundle.json(METRICS).get("test") or {}) for bundle in bundles]
    versions = [bundle.manifest.model_version for bundle in bundles]
    if as_json:
        facts = dict(zip(versions, figures, strict=True))
        typer.echo(json.dumps({"same_test": len(tests) == 1, "models": facts}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("", *versions, "difference", box=None)
    for name in figures[0]:
        a, b = figures[0][name], figures[1].get(name)
        cells = ["" if value is None else f"{value:.4f}" for value in (a, b)]
        difference = "" if a is None or b is None else f"{a - b:+.4f}"
        table.add_row(name, *cells, difference)
    Console().print(table)
    if len(tests) > 1:
        typer.echo(
            "The models were tested on different products, so their figures are not comparable.",
            err=True,
        )


@app.command()
def promote(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="A version that has passed the gate.")],
    why: WhyOption = "aisle model promote",
) -> None:
    """Switch to a model that has passed the gate; exit code 3 for any other.

    **Example**

      aisle model promote 9bd143b57fb9 --why "the drones are right again"
    """
    from aisle.registry.audit import Occasion, user
    from aisle.registry.switch import promote as switch

    options: Context = context.obj
    before = switch(options.store(), version, Occasion(user(), why))
    typer.echo(f"Model {version} now serves instead of {before or 'the packaged one'}.")


@app.command()
def rollback(
    context: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(help="A version that has served before. Default: the previous one."),
    ] = None,
    why: WhyOption = "aisle model rollback",
) -> None:
    """Switch back to a model that served before; running services follow within a minute.

    **Examples**

      aisle model rollback

      aisle model rollback --to 9bd143b57fb9 --why "it gets lamps wrong"
    """
    from aisle.registry.audit import Occasion, user
    from aisle.registry.switch import rollback as switch

    options: Context = context.obj
    before, after = switch(options.store(), Occasion(user(), why), to=to)
    typer.echo(f"Model {after} serves again, instead of {before}.")


@app.command()
def show(
    context: typer.Context,
    version: VersionArgument = None,
    folder: FolderOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest and the metrics as JSON.")
    ] = False,
) -> None:
    """Show a model's card: its training data and its quality.

    **Example**

      aisle model show --json
    """
    from aisle.model.bundle import METRICS, MODEL_CARD

    bundle = _bundle(context, version, folder)
    if as_json:
        facts = {"manifest": asdict(bundle.manifest), "metrics": bundle.json(METRICS)}
        typer.echo(json.dumps(facts, indent=2))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(bundle.files[MODEL_CARD].decode()))


@app.command()
def verify(
    context: typer.Context, version: VersionArgument = None, folder: FolderOption = None
) -> None:
    """Check a model: its files match their hashes, it loads, and its golden examples replay.

    **Example**

      aisle model verify --folder functions/aisle/packaged
    """
    from aisle.model.classifier import Classifier
    from aisle.model.golden import replay

    bundle = _bundle(context, version, folder)
    examples = replay(bundle, Classifier(bundle))
    typer.echo(
        f"Model {bundle.manifest.model_version} is intact: {len(bundle.files)} files match their "
        f"hashes, and {examples} golden examples give the recorded answers."
    )


@app.command()
def save(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="The folder to write the bundle to.")],
    version: VersionArgument = None,
) -> None:
    """Write a model's bundle to a folder, together with its report if the store has one.

    **Example**

      aisle model save functions/aisle/packaged
    """
    from aisle.errors import ObjectNotFoundError
    from aisle.model import bundle
    from aisle.registry.reports import REPORT
    from aisle.store import layout

    source = _bundle(context, version, None)
    bundle.write(to, source)
    options: Context = context.obj
    key = layout.report_file(source.manifest.model_version, REPORT)
    with suppress(ObjectNotFoundError):
        (to / REPORT).write_bytes(options.store().get(key).data)
    typer.echo(f"Model {source.manifest.model_version} was written to {to}.")


def _figures(test: dict[str, Any]) -> dict[str, float | None]:
    levels = {
        f"accuracy, level {level['level']}": level["accuracy"] for level in test.get("levels", [])
    }
    leaf = test.get("leaf", {})
    return {
        **levels,
        "accuracy, last category": leaf.get("accuracy"),
        "macro-F1, last category": leaf.get("macro_f1"),
        "calibration error": test.get("calibration_error"),
    }


def _bundle(context: typer.Context, version: str | None, folder: Path | None) -> "Bundle":
    from aisle.model import bundle
    from aisle.registry import bundles

    options: Context = context.obj
    if folder is not None and version is not None:
        raise typer.BadParameter("Give either a version or --folder, not both.")
    if folder is not None:
        return bundle.read(folder)
    if version is not None:
        return bundles.fetch_bundle(options.store(), version)
    return options.bundle()
