"""`aisle classify`: classify every product of a catalogue."""

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
            help="The catalogue: a JSON array, JSON lines, CSV or TSV, optionally gzipped; a file, "
            "an http(s) URL or s3://bucket/key.",
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="OUT",
            help="Where to write the results: a file or s3://bucket/key. The name ends in .csv for "
            "a table, or in .jsonl or .ndjson for JSON lines; add .gz to compress them.",
        ),
    ],
    columns: ColumnsOption = None,
    mapping: MappingOption = None,
    separator: SeparatorOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many processes to use. Default: one per core.")
    ] = None,
) -> None:
    """Classify every product of a catalogue and write the results to a file.

    The results have one row for each input row, in the same order: the category with its path and
    confidence, the answer that is confident enough to show, and whether a person should review it.
    A row that cannot be used gets an error instead. Ctrl-C stops the run with exit code 130; the
    same command resumes it.

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
    column_names = columns_from(columns, mapping=mapping, separator=separator)
    try:
        _run(options, source, out, column_names, workers or cpu_count() or 1)
    except KeyboardInterrupt:
        typer.echo("Stopped. Run the same command again to resume.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if is_object(target):
        write_object(target, out)
        out.unlink()
    typer.echo(target)


def _check_target(target: str) -> None:
    """Raise an error if no results can be written to the target."""
    from aisle.catalogue.objects import check_writable
    from aisle.catalogue.source import display_name, scheme_of

    if scheme_of(target) == "s3":
        check_writable(target)
    elif scheme_of(target):
        raise typer.BadParameter(
            f"{display_name(target)} was given; expected a file or s3://bucket/key.",
            param_hint="OUT",
        )
    if not target.lower().removesuffix(".gz").endswith(RESULT_ENDINGS):
        raise typer.BadParameter(
            f"{target} was given; expected a name that ends in {', '.join(RESULT_ENDINGS)}, "
            "optionally followed by .gz.",
            param_hint="OUT",
        )


def _check_apart(source: str, target: str, out: Path) -> None:
    """Raise an error if the input is one of the files that this run writes."""
    from aisle.catalogue.bulk import files_of
    from aisle.catalogue.source import same_place

    places: list[str | Path] = [target, *files_of(out)]
    if any(same_place(source, place) for place in places):
        raise typer.BadParameter(
            f"Writing to {target} would overwrite the catalogue itself. Choose another name.",
            param_hint="OUT",
        )


def _run(options: Context, source: str, target: Path, columns: "Columns", workers: int) -> None:
    from aisle.catalogue.bulk import CHUNK, Bulk, ModelReference
    from aisle.catalogue.records import read_records
    from aisle.catalogue.source import local_file
    from aisle.progress import say, steps

    version = options.bundle().manifest.model_version
    path, _ = local_file(source)
    # Read the whole input once before writing anything: an unreadable file fails at the start, and
    # the progress bar knows the total.
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
        say(f"Resuming after {run.done_before()} rows.")
    with steps(f"classifying {path.name}", total) as bar:
        failed = run.run(
            read_records(path, columns=columns),
            model=ModelReference(options.store_url, version),
            workers=workers,
            advance=bar.done,
        )
    unusable = f", {failed} of them unusable" if failed else ""
    say(f"{total} rows processed with model {version}{unusable}.")


def _work_file(source: str, target: str) -> Path:
    """Return the file to write: the target itself, or for S3 a local file to upload at the end."""
    from aisle.catalogue.objects import is_object
    from aisle.catalogue.source import local_path

    if not is_object(target):
        return local_path(target)
    name = hashlib.sha256(f"{source} {target}".encode()).hexdigest()[:12]
    return Path(DEFAULT_STORE) / "classify" / name / target.rsplit("/", maxsplit=1)[-1]
