"""`aisle classify`: a whole catalogue in, its categories out."""

import hashlib
import json
from dataclasses import asdict
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aisle.cli.context import DEFAULT_STORE, Context
from aisle.cli.options import ColumnsOption, MappingOption, SeparatorOption

if TYPE_CHECKING:
    from aisle.catalogue.columns import Columns

EXIT_INTERRUPTED = 130
RESULT_ENDINGS = (".csv", ".jsonl", ".ndjson")


def classify(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="The catalogue: JSON array, JSON lines, CSV or TSV, perhaps gzipped; a file, an "
            "http(s) address, or s3://bucket/key.",
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="OUT",
            help="Where the results go, in the rows' order: .csv for a table, .jsonl or .ndjson "
            "for JSON lines, .gz after it to pack them. A file, or s3://bucket/key.",
        ),
    ],
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many processes; all cores without it.")
    ] = None,
) -> None:
    """Classify a whole catalogue.

    Each row gets its category with the path, the confidence, the answer that is sure enough to
    show, and whether a person should look; a row that cannot be used gets the reason instead. A run
    that was ended goes on where it stopped when the same command is given again.

    **Examples**

      aisle classify products.jsonl.gz categories.csv

      aisle classify shop.csv out.jsonl.gz --columns name=title,description=body
    """
    from aisle.catalogue.columns import columns_from
    from aisle.catalogue.objects import is_object, write_object

    _check_target(target)
    out = _work_file(source, target)
    _check_apart(source, target, out)
    options: Context = context.obj
    chosen = columns_from(columns, mapping=mapping, separator=separator)
    try:
        _run(options, source, out, chosen, workers or cpu_count() or 1)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on from here.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if is_object(target):
        write_object(target, out)
        out.unlink()
    typer.echo(target)


def _check_target(target: str) -> None:
    """Raise an error where the results can be written nowhere."""
    from aisle.catalogue.objects import check_writable
    from aisle.catalogue.source import scheme_of, shown

    if scheme_of(target) == "s3":
        check_writable(target)
    elif scheme_of(target):
        raise typer.BadParameter(
            f"{shown(target)} was given; expected a file, or s3://bucket/key.", param_hint="OUT"
        )
    if not target.lower().removesuffix(".gz").endswith(RESULT_ENDINGS):
        raise typer.BadParameter(
            f"{target} was given; expected a name that ends in {', '.join(RESULT_ENDINGS)}, "
            "perhaps followed by .gz.",
            param_hint="OUT",
        )


def _check_apart(source: str, target: str, out: Path) -> None:
    """Raise an error where the input is what the results, or those of half a run, go to."""
    from aisle.catalogue.bulk import files_of
    from aisle.catalogue.source import same_place

    places: list[str | Path] = [target, *files_of(out)]
    if any(same_place(source, place) for place in places):
        raise typer.BadParameter(
            f"With {target}, the catalogue itself would be written over and lost. Choose another "
            "name.",
            param_hint="OUT",
        )


def _run(options: Context, source: str, target: Path, columns: "Columns", workers: int) -> None:
    from aisle.catalogue.bulk import CHUNK, Bulk, ModelReference
    from aisle.catalogue.records import read_records
    from aisle.catalogue.source import local_file
    from aisle.progress import say, steps

    version = options.bundle().manifest.model_version
    path, _ = local_file(source)
    # The whole input is read once before anything is written: a file that cannot be read to its
    # end is an error at the start, and the bar knows how long it will take.
    with steps(f"checking {path.name}", None) as bar:
        total = 0
        for _ in read_records(path, columns=columns):
            total += 1
            bar.done()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    identity = {
        "input": digest,
        "columns": json.dumps(asdict(columns), default=sorted, sort_keys=True),
        "model": version,
        "output": target.name,
        "chunk": CHUNK,
    }
    run = Bulk(target, identity)
    if run.done_before():
        say(f"Going on after {run.done_before()} rows.")
    with steps(f"classifying {path.name}", total) as bar:
        failed = run.run(
            read_records(path, columns=columns),
            model=ModelReference(options.store_url, version),
            workers=workers,
            advance=bar.done,
        )
    unusable = f", {failed} of them unusable" if failed else ""
    say(f"{total} rows classified by model {version}{unusable}.")


def _work_file(source: str, target: str) -> Path:
    """Return where results are written: the target, or a file that goes to a store at the end."""
    from aisle.catalogue.objects import is_object
    from aisle.catalogue.source import local_path

    if not is_object(target):
        return local_path(target)
    name = hashlib.sha256(f"{source} {target}".encode()).hexdigest()[:12]
    return Path(DEFAULT_STORE) / "classify" / name / target.rsplit("/", maxsplit=1)[-1]
