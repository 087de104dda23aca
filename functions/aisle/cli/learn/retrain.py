"""`aisle retrain`: train on the feedback, either on demand or only if training is due."""

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
        bool, typer.Option("--if-due", help="Train only if training is due.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print whether training is due, and why; change nothing."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL|s3://…",
            help="The catalogue to start from, if the store has none yet. Default: the Best Buy "
            "open data set, downloaded once (about 50 MB).",
        ),
    ] = None,
    run: Annotated[
        str,
        typer.Option(
            metavar="ID",
            help="The id of a training job that already holds the lease; set by the service that "
            "starts this command.",
        ),
    ] = "",
    why: Annotated[str, typer.Option(help="The reason, for the audit record.")] = "",
) -> None:
    """Train on the catalogue and the feedback, and publish the model if it passes the gate.

    Training is due when enough products have new corrections (AISLE_RETRAIN_NEEDED, default 50),
    or when any has and the last training was long ago (AISLE_RETRAIN_DAYS, default 7). Only
    feedback that disagrees with the prediction counts as a correction; training also learns from
    confirmations, but they never make it due.

    The exit code is 2 if another training job is running, and 3 if the gate refuses the model or
    all new feedback agrees with the predictions.

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
        _train(store, _forced(store), why or "Started by hand.", data)


def _forced(store: "Store") -> str:
    """Take the lease, whether or not training is due; return the id of the job."""
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

    current, _ = lease.read(store)
    reason = (
        f"job {current.run} is running ({current.holder})"
        if current
        else "another one took the lease"
    )
    return ConfigurationError(
        f"The training job was not started: {reason}. Expected a store with no other training job. "
        "Wait until it ends; the lease of a killed job expires after a few minutes."
    )
