"""`aisle openapi`: the description of the whole API."""

import json
from typing import NoReturn

import typer


def openapi() -> None:
    """Print the OpenAPI description of the whole API: the same for the same version of the code.

    **Example**

      aisle openapi > infra/openapi.json
    """
    from aisle.serving.whole import whole_api

    api = whole_api(_never, _never)
    typer.echo(json.dumps(api.openapi(), indent=2, ensure_ascii=False))


def _never() -> NoReturn:
    """Stand in for model and store, which a description does not need."""
    raise RuntimeError("Describing the API has asked for a model or a store.")
