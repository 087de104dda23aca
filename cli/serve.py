"""`aisle serve`: the API on this machine."""

import os
import socket
from typing import Annotated

import typer

from cli.context import Context

_HOST = "127.0.0.1"


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8080,
) -> None:
    """Serve the API on this machine, with the store's model or the packaged one.

    It listens on 127.0.0.1 only. Stop it with Ctrl-C.

    **Example**

      aisle serve --port 8000
    """
    import uvicorn
    from starlette.responses import RedirectResponse

    from predict.app import create_app
    from predict.settings import Settings

    options: Context = context.obj
    classifier = options.classifier()
    try:
        settings = Settings.read(os.environ)
    except ValueError as error:
        raise typer.BadParameter(
            f"the environment has a setting that cannot be used: {error}"
        ) from error
    api = create_app(lambda: classifier, settings)

    @api.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("v1/docs")

    _check_free(port)
    typer.echo(
        f"Model {classifier.model_version} answers at http://localhost:{port}/v1/predict; "
        f"try it at http://localhost:{port}/v1/docs. Ctrl-C stops.",
        err=True,
    )
    uvicorn.run(api, host=_HOST, port=port, log_level="warning", server_header=False)


def _check_free(port: int) -> None:
    """Raise a usage error where the port cannot be had, before anything is announced."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise typer.BadParameter(
                f"port {port} cannot be used ({error.strerror}). Stop what uses it, or choose "
                "another with --port.",
                param_hint="--port",
            ) from error
