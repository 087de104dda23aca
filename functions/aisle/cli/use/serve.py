"""`aisle serve`: run the API and the demo page on this machine."""

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
        typer.Option(
            help="The address to listen on; one that other machines can reach requires an API key."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8080,
    wait_for_key: Annotated[
        bool,
        typer.Option(
            "--wait-for-key",
            help="Start even if a key is required and none exists yet; all requests are refused "
            "until one is created.",
        ),
    ] = False,
    learn: Annotated[
        bool,
        typer.Option(help="When training is due, train on the feedback in a separate process."),
    ] = True,
) -> None:
    """Run the API and the demo page on this machine, with the store's model or the packaged one.

    When enough products have been corrected (AISLE_RETRAIN_NEEDED, default 50), or some have and
    the last training was long ago (AISLE_RETRAIN_DAYS, default 7), the service trains a new model
    on the feedback and switches to it if it passes the gate; see `aisle retrain --help`.

    Clients need an API key (`aisle keys create`), kept in the store or in AISLE_KEYS. On 127.0.0.1
    no key is required until the first one exists. Stop the service with Ctrl-C.

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
    # Log each switch to another model.
    logging.getLogger("aisle.serving.predict").setLevel(logging.INFO)
    learner = _learner(store, model) if learn else None
    api = whole_api(model, lambda: store, settings, access=access, telemetry=learner)
    add_site(api)
    _check_free(host, port)
    url = f"http://{_url_host(host)}:{port}"
    typer.echo(
        f"Model {version} answers at {url}/v1/predict; the demo page is at {url}. Ctrl-C stops it.",
        err=True,
    )
    with learner.working() if learner else nullcontext():
        uvicorn.run(api, host=host, port=port, log_level="warning", server_header=False)


def _learner(store: "Store", model: "LiveModel") -> "Learner | None":
    """Return the background learner, or None if training is not installed."""
    from aisle.cli.use.learner import Learner, training_command
    from aisle.serving.learning.settings import RetrainSettings

    command = training_command(store.url)
    if command is None:
        typer.echo(
            "Feedback is recorded, but no training will start: the training extra is not "
            'installed. To install it, run: pip install "aisle[training]"',
            err=True,
        )
        return None
    logging.getLogger("aisle.feedback.due").setLevel(
        logging.INFO
    )  # log why training starts or does not
    return Learner(store, model, RetrainSettings.read(os.environ).policy(), command)


def _may_be_open(host: str, ring: "KeyRing", *, wait: bool) -> bool:
    """Return whether to serve without keys; raise if the address must not be open."""
    keys = ring()
    usable = [key for key in keys if key.usable(datetime.now(UTC))]
    if not _is_loopback(host):
        if usable:
            return False
        if wait:
            typer.echo(
                "There is no usable API key yet, so all requests are refused. Create one with "
                "`aisle keys create --client NAME`.",
                err=True,
            )
            return False
        raise ConfigurationError(
            f"The API cannot be served on {host}, which other machines can reach: there is no "
            "usable API key. Expected at least one, in the store or in AISLE_KEYS. Create one with "
            "`aisle keys create --client NAME`, serve on 127.0.0.1, or add --wait-for-key."
        )
    if not keys:
        typer.echo(
            f"No API key is configured: everyone who can reach {host} may use the API. To require "
            "keys, create one with `aisle keys create --client NAME`.",
            err=True,
        )
    return not keys


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url_host(host: str) -> str:
    """Return the host part of a URL that a browser on this machine can open."""
    if host in {"127.0.0.1", "0.0.0.0", "::", "::1"}:  # noqa: S104  # compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _check_free(host: str, port: int) -> None:
    """Raise a usage error if the address is not free, before the service announces itself."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise typer.BadParameter(
            f"Cannot listen on {host}, port {port} ({error.strerror}). Stop the process that uses "
            "it, or choose another address with --host and --port.",
            param_hint="--port",
        ) from error
