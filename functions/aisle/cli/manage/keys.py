"""`aisle keys …`: create, list and revoke API keys."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aisle.access.scopes import SCOPES
from aisle.cli.context import Context

if TYPE_CHECKING:
    from aisle.access.api_keys import ApiKey, ApiKeys

_SAM_STORE: Final = "file:///tmp/aisle"  # inside each function's container; gone when SAM stops

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

ApiOption = Annotated[
    str | None,
    typer.Option(
        envvar="AISLE_API",
        metavar="ID/STAGE",
        help="The API Gateway in front of the service, printed by `make deploy`. It keeps a usage "
        "plan for each client and rejects everyone else.",
    ),
]


@app.command()
def create(
    context: typer.Context,
    client: Annotated[
        str,
        typer.Option(
            help="Who will use the key: lower-case letters, digits, and . _ - after the first."
        ),
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A scope: predict or feedback; may be repeated. Default: both."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 365,
    api: ApiOption = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="With --api: requests per second.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(min=1, help="With --api: requests in one burst.")
    ] = None,
    quota: Annotated[
        int | None, typer.Option(min=1, help="With --api: requests per month.")
    ] = None,
) -> None:
    """Create a key and print it. It is shown only once: the store keeps its SHA-256.

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
            keyring.edit(store, lambda keys: (*keys, record))
    else:
        keyring.edit(store, lambda keys: (*keys, record))
    typer.echo(key)
    typer.echo(
        f"Key {record.id} of {client} is valid for {' and '.join(record.scopes)} until "
        f"{record.expires:%Y-%m-%d}. Send it in the header {api_keys.HEADER}. It is not shown "
        "again.",
        err=True,
    )


@app.command("list")
def list_keys(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the records in the form that AISLE_KEYS takes.")
    ] = False,
    env_vars: Annotated[
        bool, typer.Option("--env-vars", help="Print a file for `sam local … --env-vars`.")
    ] = False,
) -> None:
    """List the keys with client, scopes, expiry and state. The keys themselves are not stored.

    **Example**

      aisle keys list --env-vars > .aisle/env-vars.json
    """
    from aisle.access import keyring

    options: Context = context.obj
    records, _ = keyring.read(options.store())
    if as_json or env_vars:
        rows = [record.to_json() for record in records]
        variables = {"Parameters": {keyring.VARIABLE: json.dumps(rows), "AISLE_STORE": _SAM_STORE}}
        typer.echo(json.dumps(variables if env_vars else rows, indent=2))
    else:
        _print(records)


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of the key, as `aisle keys list` shows it.")
    ],
    api: ApiOption = None,
) -> None:
    """Revoke a key. Services stop accepting it within two minutes; its record stays.

    **Example**

      aisle keys revoke 3f9c01ab
    """
    from aisle.access import api_keys, keyring

    options: Context = context.obj
    store = options.store()
    now = datetime.now(UTC)
    keyring.edit(store, lambda keys: api_keys.revoke(keys, key_id, now=now))
    if api:
        from aisle.access.usage_plans import UsagePlans

        keys, _ = keyring.read(store)
        UsagePlans(api).remove(next(record for record in keys if record.id == key_id))
    typer.echo(f"Key {key_id} is revoked.")


def _print(records: "ApiKeys") -> None:
    from rich.console import Console
    from rich.table import Table

    if not records:
        typer.echo("There are no keys. Create one with: aisle keys create --client NAME")
        return
    now = datetime.now(UTC)
    table = Table(box=None)
    for column in ("id", "client", "scopes", "created", "expires", "state"):
        table.add_column(column)
    for record in records:
        days = f"{record.created:%Y-%m-%d}", f"{record.expires:%Y-%m-%d}"
        scopes = ", ".join(record.scopes)
        table.add_row(record.id, record.client, scopes, *days, _state(record, now))
    Console().print(table)


def _state(record: "ApiKey", now: datetime) -> str:
    if record.revoked is not None:
        return f"revoked {record.revoked:%Y-%m-%d}"
    return "good" if record.usable(now) else "expired"
