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

StackOption = Annotated[
    str, typer.Option(help="Name of the stack, and prefix of the names of its resources.")
]
RegionOption = Annotated[
    str | None, typer.Option(help="AWS region. Default: AWS_DEFAULT_REGION, then ~/.aws.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]


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
            help="Set a parameter of template.yaml, such as AlarmEmail=me@example.com; later "
            "deployments keep it. May be repeated.",
        ),
    ] = None,
) -> None:
    """Deploy the service, or bring it up to date."""
    parameters = dict(_parameter(setting) for setting in settings or ())
    service, world = _service(stack, region, parameters, dry_run=dry_run)
    carry_out(service.up(), say=world.say, dry_run=dry_run)


@app.command()
def down(
    stack: StackOption = "aisle",
    region: RegionOption = None,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the service and all its data."""
    service, world = _service(stack, region, {}, dry_run=dry_run)
    if not (dry_run or yes):
        typed = typer.prompt(
            "This deletes models, datasets, feedback and keys for good. Type the stack's name to "
            "continue"
        )
        if typed != stack:
            raise ConfigurationError(
                f"Nothing was deleted: you typed {typed!r}. Expected {stack!r}. Try again."
            )
    carry_out(service.down(), say=world.say, dry_run=dry_run)


def _service(
    stack: str, region: str | None, parameters: dict[str, str], *, dry_run: bool
) -> tuple[Service, World]:
    if region:
        os.environ["AWS_DEFAULT_REGION"] = region  # for SAM CLI and the store too
    session = Session()
    if dry_run:  # makes no request to AWS
        names = Names(stack, "ACCOUNT", region or "REGION")
    else:
        names = Names(stack, session.account, session.region)
    world = World(say=lambda text: typer.echo(text, err=True), parameters=parameters)
    return Service(names, session, world), world


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name == "SiteKey":
        raise ConfigurationError(
            f"Nothing was deployed: --set {name!r} is not valid. Expected NAME=VALUE with a "
            "parameter of template.yaml other than SiteKey, which this command creates. Correct it."
        )
    return name, value


if __name__ == "__main__":
    try:
        app()
    except AisleError as error:
        typer.echo(f"deploy: {error}", err=True)
        sys.exit(2)
