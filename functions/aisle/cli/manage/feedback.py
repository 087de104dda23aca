"""`aisle feedback …`: review the feedback that needs a person's decision."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aisle.cli.context import Context

if TYPE_CHECKING:
    from aisle.feedback.decisions import ReviewDecision

app = typer.Typer(
    no_args_is_help=True,
    help="Review feedback. Training uses feedback only if it can be trusted; the rest waits for "
    "a person to accept or reject it.",
)
review = typer.Typer(
    no_args_is_help=True,
    help="List the feedback that waits for a review, and accept or reject it. Feedback is held if "
    "its author is unknown or one client sent an unusual amount; it is quarantined if it looks "
    "wrong. The next retraining learns from what you accept, and never from what you reject.",
)
app.add_typer(review, name="review")

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="Event ids, or their first characters.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All events that wait for a review.")]
NoteOption = Annotated[str | None, typer.Option(help="The reason, for the record.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, with full ids.")]


@review.command("list")
def list_waiting(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the feedback that waits for a review, oldest first.

    **Example**

      aisle feedback review list --json
    """
    from aisle.feedback.review import waiting

    options: Context = context.obj
    events = waiting(options.store())
    if as_json:
        typer.echo(json.dumps([asdict(event) for event in events], indent=2))
        return
    if not events:
        typer.echo("No feedback waits for a review.")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in ("id", "state", "why", "client", "product", "category"):
        table.add_column(column)
    for event in events:
        product = event.product.get("name") or event.product.get("description") or ""
        cells = (event.id[:12], event.state, event.why, event.client, product[:60], event.category)
        # Anybody may have typed this: no part of it may act as terminal markup.
        table.add_row(*map(_plain, cells))
    Console().print(table)


@review.command()
def accept(
    context: typer.Context,
    ids: IdsArgument = None,
    everything: AllOption = False,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept feedback: it overrides all other feedback on the same products.

    **Examples**

      aisle feedback review accept 3f9c01ab77d2

      aisle feedback review accept --all --note "checked with the shop"
    """
    _decide(context, "accepted", ids, everything=everything, note=note, as_json=as_json)


@review.command()
def reject(
    context: typer.Context,
    ids: IdsArgument = None,
    everything: AllOption = False,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject feedback: it stays in the store, and training never uses it.

    **Example**

      aisle feedback review reject 3f9c01ab77d2
    """
    _decide(context, "rejected", ids, everything=everything, note=note, as_json=as_json)


def _decide(
    context: typer.Context,
    decision: "ReviewDecision",
    ids: list[str] | None,
    *,
    everything: bool,
    note: str | None,
    as_json: bool,
) -> None:
    from aisle.feedback.review import decide, waiting

    if bool(ids) == everything:
        raise typer.BadParameter("Give either event ids or --all: one of the two.")
    options: Context = context.obj
    store = options.store()
    chosen = [event.id for event in waiting(store)] if everything else ids or []
    decided = decide(store, chosen, decision, note=note)
    if as_json:
        typer.echo(json.dumps({"decision": decision, "events": decided}, indent=2))
        return
    accepted = decision == "accepted" and decided
    effect = " The next retraining learns from this." if accepted else ""
    typer.echo(f"{len(decided)} {'event' if len(decided) == 1 else 'events'} {decision}.{effect}")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape("".join(char if char.isprintable() else " " for char in text))
