"""`aisle retrain`: learn from the feedback, where there is enough of it or because you say so."""

import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from aisle.cli.context import Context
from aisle.errors import ConfigurationError

if TYPE_CHECKING:
    from aisle.store import Store


def retrain(
    context: typer.Context,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Train only where there is enough new feedback.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say whether it is due, and why; train and write nothing."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL|s3://…",
            help="The catalogue to begin with, where the store has none yet. Without it, the whole "
            "Best Buy open data set is fetched once.",
        ),
    ] = None,
    run: Annotated[
        str,
        typer.Option(
            metavar="ID", help="The run that was started for this; it has the lease already."
        ),
    ] = "",
    why: Annotated[str, typer.Option(help="The reason, for the records.")] = "",
) -> None:
    """Train on the catalogue and the feedback, and publish the model where it is better.

    One training run at a time: where another is under way, this ends with exit code 2. With
    --if-due, it is due where enough products were newly corrected (AISLE_RETRAIN_NEEDED), or any
    and the last training was long ago (AISLE_RETRAIN_DAYS). Only feedback that disagrees with the
    model counts: what names the category that was predicted is learnt when a run comes, and starts
    none. Exit code 3 where the gate refused, or all that is new agrees.

    **Examples**

      aisle retrain --dry-run

      aisle retrain --if-due
    """
    from aisle.feedback.count import Counter
    from aisle.feedback.due import decide, start_if_due
    from aisle.serving.learning.settings import RetrainSettings

    options: Context = context.obj
    store = options.store()
    policy = RetrainSettings.read(os.environ).policy()
    if run:
        _train(store, run, why, data)
    elif dry_run:
        typer.echo(decide(Counter(store), policy, now=datetime.now(UTC)).why)
    elif if_due:
        outcome = start_if_due(Counter(store), policy, lambda _run, _why: None, holder=_holder())
        if outcome.run is None:
            typer.echo(outcome.why)
        else:
            _train(store, outcome.run, outcome.why, data)
    else:
        _train(store, _forced(store), why or "Somebody asked for it.", data)


def _forced(store: "Store") -> str:
    """Take the lease, due or not; return the run."""
    from aisle.feedback.due import new_run
    from aisle.store import lease

    run = new_run()
    if lease.take(store, run, _holder(), now=datetime.now(UTC)) is None:
        raise _busy(store)
    return run


def _train(store: "Store", run: str, why: str, data: str | None) -> None:
    from aisle.store import lease
    from aisle_training import parameters
    from aisle_training.retrain import retrain as train

    if lease.take(store, run, _holder(), now=datetime.now(UTC), lasting=lease.RUNNING) is None:
        raise _busy(store)
    with lease.kept(store, run, now=lambda: datetime.now(UTC)):
        verdict = train(store, parameters.load(parameters.DEFAULT), run=run, why=why, data=data)
    typer.echo(verdict.version)


def _holder() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def _busy(store: "Store") -> ConfigurationError:
    from aisle.store import lease

    held, _ = lease.read(store)
    who = f"run {held.run} is under way ({held.holder})" if held else "another was faster"
    return ConfigurationError(
        f"No training run was started: {who}. Expected was a store in which nobody trains. Wait "
        "for it to end; one that was killed gives up its place after some minutes."
    )
