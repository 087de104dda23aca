"""`aisle feedback …`: what people said, and what a person has to decide of it."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aisle.cli.context import Context

if TYPE_CHECKING:
    from aisle.feedback.decisions import ReviewDecision

app = typer.Typer(
    no_args_is_help=True,
    help="Look after feedback. What people say of predictions is learnt from at the next "
    "retraining; what cannot be trusted as it is waits for a review.",
)
review = typer.Typer(
    no_args_is_help=True,
    help="See the feedback that waits for a person, and accept or reject it. It is held where "
    "nobody knows who said it, or one client said very much; it is quarantined where it looks "
    "wrong. What is accepted is learnt at the next retraining, what is rejected never.",
)
app.add_typer(review, name="review")

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="Ids, or how they begin.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All that wait.")]
NoteOption = Annotated[str | None, typer.Option(help="Why, for the record.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, with whole ids.")]


@review.command("list")
def list_waiting(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the feedback that waits, the oldest first.

    **Example**

      aisle feedback review list --json
    """
    from aisle.feedback.review import waiting

    options: Context = context.obj
    found = waiting(options.store())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        typer.echo("No feedback waits for a review.")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in ("id", "state", "why", "client", "product", "category"):
        table.add_column(column)
    for one in found:
        product = one.product.get("name") or one.product.get("description") or ""
        # Typed by strangers: nothing in it is markup to the terminal.
        cells = (one.id[:12], one.state, one.why, one.client, product[:60], one.category)
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
    """Accept feedback: it goes before anything else that is said of the same products.

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
    """Reject feedback: it is kept, and never learnt from.

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
        raise typer.BadParameter("Give the ids of events, or --all: one of the two.")
    options: Context = context.obj
    store = options.store()
    chosen = [one.id for one in waiting(store)] if everything else ids or []
    done = decide(store, chosen, decision, note=note)
    if as_json:
        typer.echo(json.dumps({"decision": decision, "events": done}, indent=2))
        return
    then = " They are learnt at the next retraining." if decision == "accepted" and done else ""
    typer.echo(f"{len(done)} {'event' if len(done) == 1 else 'events'} {decision}.{then}")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape("".join(each if each.isprintable() else " " for each in text))
