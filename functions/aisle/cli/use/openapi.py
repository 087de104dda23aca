"""`aisle openapi`: print the OpenAPI description."""

import json
from typing import NoReturn

import typer


def openapi() -> None:
    """Print the OpenAPI description of the API, as JSON.

    **Example**

      aisle openapi > infra/openapi.json
    """
    from aisle.serving.whole import whole_api

    api = whole_api(_never, _never)
    typer.echo(json.dumps(api.openapi(), indent=2, ensure_ascii=False))


def _never() -> NoReturn:
    """Stand in for the model and the store, which the description does not need."""
    raise RuntimeError("Describing the API must not load a model or a store.")
