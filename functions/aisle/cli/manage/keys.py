"""`aisle keys …`: who may use the API."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aisle.access.scopes import SCOPES
from aisle.cli.context import Context

if TYPE_CHECKING:
    from aisle.access.api_keys import ApiKey, ApiKeys

_SAM_STORE: Final = "file:///tmp/aisle"  # in each function's own container, gone when SAM stops

app = typer.Typer(no_args_is_help=True, help="Make API keys, list them, and revoke them.")

ApiOption = Annotated[
    str | None,
    typer.Option(
        envvar="AISLE_API",
        metavar="ID/STAGE",
        help="The API Gateway in front, as `make deploy` prints it: it has a usage plan for each "
        "client, and lets nobody else pass.",
    ),
]


@app.command()
def create(
    context: typer.Context,
    client: Annotated[
        str,
        typer.Option(help="Who will use it: small letters, digits, and . _ - inside the name."),
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it opens, predict or feedback; may be repeated. Without it, both."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is good.")] = 365,
    api: ApiOption = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="With --api: the client's requests a second.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(min=1, help="With --api: how many of them at once.")
    ] = None,
    quota: Annotated[
        int | None, typer.Option(min=1, help="With --api: the client's requests a month.")
    ] = None,
) -> None:
    """Make a key and print it, this once: only its SHA-256 is kept.

    **Examples**

      aisle keys create --client my-shop

      aisle --store s3://bucket keys create --client labels --scope feedback --days 30

      aisle --store s3://bucket keys create --client big-shop --api a1b2c3d4e5/live --rate 50
    """
    from aisle.access import api_keys, keyring

    options: Context = context.obj
    store = options.store()
    key, record = api_keys.new_key(
        client, scope or SCOPES, now=datetime.now(UTC), lifetime=timedelta(days=days)
    )
    if api:
        from aisle.access.usage_plans import Limits, UsagePlans

        limits = Limits.of(client, rate=rate, burst=burst, quota=quota)
        with UsagePlans(api).registered(record, limits):
            keyring.edit(store, lambda known: (*known, record))
    else:
        keyring.edit(store, lambda known: (*known, record))
    typer.echo(key)
    typer.echo(
        f"Key {record.id} of {client} opens {' and '.join(record.scopes)} until "
        f"{record.expires:%Y-%m-%d}. Send it in the header {api_keys.HEADER}. It is not shown "
        "again.",
        err=True,
    )


@app.command("list")
def list_keys(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the records, as AISLE_KEYS takes them.")
    ] = False,
    env_vars: Annotated[
        bool, typer.Option("--env-vars", help="Print a file for `sam local … --env-vars`.")
    ] = False,
) -> None:
    """List the keys: who has them, what they open, until when. The keys themselves are not kept.

    **Example**

      aisle keys list --env-vars > .aisle/env-vars.json
    """
    from aisle.access import keyring

    options: Context = context.obj
    records, _ = keyring.read(options.store())
    if as_json or env_vars:
        kept = [each.to_json() for each in records]
        variables = {"Parameters": {keyring.VARIABLE: json.dumps(kept), "AISLE_STORE": _SAM_STORE}}
        typer.echo(json.dumps(variables if env_vars else kept, indent=2))
    else:
        _print(records)


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `keys list` shows.")],
    api: ApiOption = None,
) -> None:
    """Make a key useless, within a minute or two; its record stays.

    **Example**

      aisle keys revoke 3f9c01ab
    """
    from aisle.access import api_keys, keyring

    options: Context = context.obj
    store = options.store()
    now = datetime.now(UTC)
    keyring.edit(store, lambda known: api_keys.revoke(known, key_id, now=now))
    if api:
        from aisle.access.usage_plans import UsagePlans

        known, _ = keyring.read(store)
        UsagePlans(api).remove(next(each for each in known if each.id == key_id))
    typer.echo(f"Key {key_id} is revoked.")


def _print(records: "ApiKeys") -> None:
    from rich.console import Console
    from rich.table import Table

    if not records:
        typer.echo("There are no keys. Make one with: aisle keys create --client NAME")
        return
    now = datetime.now(UTC)
    table = Table(box=None)
    for column in ("id", "client", "opens", "created", "expires", "state"):
        table.add_column(column)
    for each in records:
        days = f"{each.created:%Y-%m-%d}", f"{each.expires:%Y-%m-%d}"
        table.add_row(each.id, each.client, ", ".join(each.scopes), *days, _state(each, now))
    Console().print(table)


def _state(record: "ApiKey", now: datetime) -> str:
    if record.revoked is not None:
        return f"revoked {record.revoked:%Y-%m-%d}"
    return "good" if record.usable(now) else "expired"
