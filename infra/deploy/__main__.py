"""The command line of deployment: `up` and `down`."""

import os
import sys
from typing import Annotated

import typer

from aisle.errors import AisleError, ConfigurationError
from infra.deploy.names import Names
from infra.deploy.plan import carry_out
from infra.deploy.service import Service, World
from infra.deploy.session import Session

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

StackOption = Annotated[str, typer.Option(help="What the stack, and all in it, is called.")]
RegionOption = Annotated[
    str | None, typer.Option(help="Where; without it, what AWS_DEFAULT_REGION or ~/.aws says.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan, and do nothing.")]


@app.command()
def up(
    stack: StackOption = "aisle",
    region: RegionOption = None,
    dry_run: DryRunOption = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of template.yaml, as AlarmEmail=me@example.com; it stays until it is "
            "set anew. May be repeated.",
        ),
    ] = None,
) -> None:
    """Bring the service up, or up to date."""
    pairs = [_pair(each) for each in settings or ()]
    service, world = _service(stack, region, dict(pairs), dry_run=dry_run)
    carry_out(service.up(), say=world.say, dry_run=dry_run)


@app.command()
def down(
    stack: StackOption = "aisle",
    region: RegionOption = None,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
) -> None:
    """Take the service down, with all its data."""
    service, world = _service(stack, region, {}, dry_run=dry_run)
    if not (dry_run or yes):
        said = typer.prompt(
            "This deletes models, datasets, feedback and keys for good. The stack's name, to go on"
        )
        if said != stack:
            raise ConfigurationError(
                f"Nothing was deleted: {said!r} was typed, {stack!r} was expected. Try again."
            )
    carry_out(service.down(), say=world.say, dry_run=dry_run)


def _service(
    stack: str, region: str | None, parameters: dict[str, str], *, dry_run: bool
) -> tuple[Service, World]:
    if region:
        os.environ["AWS_DEFAULT_REGION"] = region  # for SAM CLI and the store too
    session = Session()
    if dry_run:  # AWS is asked nothing
        names = Names(stack, "ACCOUNT", region or "REGION")
    else:
        names = Names(stack, session.account, session.region)
    world = World(say=lambda text: typer.echo(text, err=True), parameters=parameters)
    return Service(names, session, world), world


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name == "SiteKey":
        raise ConfigurationError(
            f"Nothing was deployed: --set {name!r} cannot be used. Expected was NAME=VALUE of a "
            "parameter that template.yaml has, other than SiteKey, which is made here. Correct it."
        )
    return name, value


if __name__ == "__main__":
    try:
        app()
    except AisleError as error:
        typer.echo(f"deploy: {error}", err=True)
        sys.exit(2)
