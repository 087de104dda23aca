"""Run an ASGI application on events of API Gateway's REST API."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fastapi import FastAPI
from mangum import Mangum

from aisle.errors import AisleError
from aisle.serving.aws.observability import Handler, Observability
from aisle.serving.http.problems import PROBLEM_JSON

# Mangum encodes all other media types in base64, which API Gateway passes on undecoded.
_TEXT = ["text/", "application/json", PROBLEM_JSON]


def lambda_handler(app: FastAPI, observability: Observability) -> Handler:
    """Make the function that Lambda calls.

    There is no lifespan, because Mangum would run it at every call. Slow work is done once, before.
    """
    asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum needs an existing event loop
    adapter = Mangum(app, lifespan="off", text_mime_types=_TEXT)

    def handler(event: Any, context: Any) -> Mapping[str, Any]:  # noqa: ANN401  # Lambda's own
        return adapter(event, context)

    return observability.observe(handler)


def failing(error: AisleError) -> Callable[[], NoReturn]:
    """Return a stand-in that raises `error`: each request gets a 503, and the log the cause."""

    def fail() -> NoReturn:
        raise error

    return fail
