"""`aisle serve`: the API and the demo page on this machine."""

import ipaddress
import logging
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from aisle.cli.context import Context
from aisle.errors import ConfigurationError

if TYPE_CHECKING:
    from aisle.access.keyring import KeyRing
    from aisle.cli.use.learner import Learner
    from aisle.serving.predict.live import LiveModel
    from aisle.store import Store


def serve(
    context: typer.Context,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; one that others reach needs an API key."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8080,
    wait_for_key: Annotated[
        bool,
        typer.Option(
            "--wait-for-key",
            help="Where a key is needed, start without one; nobody may ask until there is one.",
        ),
    ] = False,
    learn: Annotated[
        bool,
        typer.Option(help="Train on the feedback, in a process of its own, where it is enough."),
    ] = True,
) -> None:
    """Serve the API and the demo page on this machine, with the store's model or the packaged one.

    Where enough products were corrected (AISLE_RETRAIN_NEEDED, 50), or some and long ago, a model
    is trained on what was said, and serves once it has passed the gate (`aisle retrain` says more).
    Feedback that names the category that was predicted starts none.

    Who asks needs an API key (`aisle keys create`), in the store or in AISLE_KEYS. On 127.0.0.1,
    with no key anywhere, everyone may ask. Stop it with Ctrl-C.

    **Examples**

      aisle serve --port 8000

      aisle serve --host 0.0.0.0
    """
    from contextlib import nullcontext

    import uvicorn

    from aisle.access.keyring import VARIABLE, keyring
    from aisle.serving.http.access import KeyAccess
    from aisle.serving.predict.live import LiveModel
    from aisle.serving.predict.settings import LiveSettings
    from aisle.serving.site import add_site
    from aisle.serving.whole import whole_api

    options: Context = context.obj
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    settings = LiveSettings.read(os.environ)
    store = options.store()
    ring = keyring(os.environ.get(VARIABLE, ""), lambda: store)
    access = KeyAccess(ring, open_without_keys=_may_be_open(host, ring, wait=wait_for_key))
    model = LiveModel(lambda: store, poll_seconds=settings.poll_seconds)
    version = model().model_version
    logging.getLogger("aisle.serving.predict").setLevel(
        logging.INFO
    )  # when another model takes over
    learner = _learner(store, model) if learn else None
    api = whole_api(model, lambda: store, settings, access=access, telemetry=learner)

    add_site(api)

    _check_free(host, port)
    where = f"http://{_shown(host)}:{port}"
    typer.echo(
        f"Model {version} answers at {where}/v1/predict; try it at {where}. Ctrl-C stops.",
        err=True,
    )
    with learner.working() if learner else nullcontext():
        uvicorn.run(api, host=host, port=port, log_level="warning", server_header=False)


def _learner(store: "Store", model: "LiveModel") -> "Learner | None":
    """Return what trains while this serves; None where nothing that trains is installed."""
    from aisle.cli.use.learner import Learner, training_command
    from aisle.serving.learning.settings import RetrainSettings

    command = training_command(store.url)
    if command is None:
        typer.echo(
            "Feedback is kept, but nothing is trained on it by itself: what trains is not "
            'installed. pip install "aisle[training]" changes that.',
            err=True,
        )
        return None
    logging.getLogger("aisle.feedback.due").setLevel(logging.INFO)  # why it trains, or does not
    return Learner(store, model, RetrainSettings.read(os.environ).policy(), command)


def _may_be_open(host: str, ring: "KeyRing", *, wait: bool) -> bool:
    """Tell whether no key has to be asked for; raise where the address must not be open."""
    keys = ring()
    usable = [each for each in keys if each.usable(datetime.now(UTC))]
    if not _is_loopback(host):
        if usable:
            return False
        if wait:
            typer.echo(
                "There is no usable API key yet, so nobody may ask. Make one with "
                "`aisle keys create --client NAME`.",
                err=True,
            )
            return False
        raise ConfigurationError(
            f"The API is not served on {host}, which others reach: no usable API key was found. "
            "Expected was at least one, in the store or in AISLE_KEYS. Make one with "
            "`aisle keys create --client NAME`, serve on 127.0.0.1, or --wait-for-key."
        )
    if not keys:
        typer.echo(
            f"No API key is configured, so whoever reaches {host} may ask. "
            "`aisle keys create` changes that.",
            err=True,
        )
    return not keys


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    """Write a host as an address that a browser on this machine takes."""
    if host in {"127.0.0.1", "0.0.0.0", "::", "::1"}:  # noqa: S104  # compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _check_free(host: str, port: int) -> None:
    """Raise a usage error where the address cannot be had, before anything is announced."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise typer.BadParameter(
            f"{host}, port {port} cannot be used ({error.strerror}). Stop what uses it, or choose "
            "another with --host and --port.",
            param_hint="--port",
        ) from error
