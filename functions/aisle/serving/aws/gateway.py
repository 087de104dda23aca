"""The way from an event of API Gateway's REST API into an application, and back."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fastapi import FastAPI
from mangum import Mangum

from aisle.errors import AisleError
from aisle.serving.aws.observability import Handler, Observability
from aisle.serving.http.problems import PROBLEM_JSON

# What Mangum does not find here it sends in base64, which API Gateway passes on as it is.
_TEXT = ["text/", "application/json", PROBLEM_JSON]


def lambda_handler(app: FastAPI, observability: Observability) -> Handler:
    """Make the function that Lambda calls.

    No lifespan: Mangum would run it at every call. What takes long is done before, once.
    """
    asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum expects one to be there
    adapter = Mangum(app, lifespan="off", text_mime_types=_TEXT)

    def handler(event: Any, context: Any) -> Mapping[str, Any]:  # noqa: ANN401  # Lambda's own
        return adapter(event, context)

    return observability.observe(handler)


def failing(error: AisleError) -> Callable[[], NoReturn]:
    """Stand in for what could not be set up: each request is a 503, and its cause in the log."""

    def fail() -> NoReturn:
        raise error

    return fail
