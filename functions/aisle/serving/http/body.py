"""Checks of a request's body before it is parsed."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aisle.serving.http.access import Requires
from aisle.serving.http.problems import (
    BODY_TOO_LARGE,
    INVALID_JSON,
    JSON_TOO_DEEP,
    NOT_JSON,
    ErrorAnswer,
    Kind,
)

MAX_BYTES = 6_000_000
"""The largest body: a Lambda event, envelope included, is at most 6 MB."""


class BodyError(HTTPException):
    """A body is refused unparsed; an HTTPException, because FastAPI lets only these through."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(kind.status, detail)
        self.kind = kind


class BodyLimit:
    """ASGI middleware that refuses large bodies, by declared and by received length."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = BodyError(
            BODY_TOO_LARGE,
            f"The body is larger than {self._max_bytes / 1e6:g} MB; send fewer items per request.",
        )
        if _declared_length(scope) > self._max_bytes:
            await ErrorAnswer(error.kind, error.detail).response(scope)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise error
            return message

        await self._app(scope, counted, send)


class JsonRoute(APIRoute):
    """A route whose body, if it takes one, must be JSON in UTF-8, with a JSON media type.

    Access is checked before the body is read; FastAPI would read the body first.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the checks."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        called = [dependant.dependency for dependant in self.dependencies]
        guards = [dependency for dependency in called if isinstance(dependency, Requires)]

        async def checked(request: Request) -> Response:
            request = _JsonRequest(request.scope, request.receive)
            for guard in guards:
                await guard(request)
            _check_headers(request)
            await request.json()
            return await handle(request)

        return checked


class _JsonRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401  # JSON has no narrower type
        """Return the parsed body; raise BodyError if it is not JSON."""
        if not hasattr(self, "_json"):
            self._json = _parse(await self.body())
        return self._json


def _check_headers(request: Request) -> None:
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    main, _, sub = media_type.strip().lower().partition("/")
    if main != "application" or not (sub == "json" or sub.endswith("+json")):
        raise BodyError(
            NOT_JSON,
            "The body must be JSON; send it with the header Content-Type: application/json.",
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BodyError(NOT_JSON, "The body must not be compressed; send the JSON as it is.")


def _parse(body: bytes) -> Any:  # noqa: ANN401  # JSON has no narrower type
    if not body.strip():
        raise BodyError(INVALID_JSON, "The body is empty; send a JSON object.")
    try:
        # NaN and Infinity pass here, so that validation can name the field.
        return json.loads(body.decode("utf-8-sig"))
    except RecursionError:
        detail = "The JSON is nested too deeply; remove the extra levels of lists or objects."
        raise BodyError(JSON_TOO_DEEP, detail) from None
    except json.JSONDecodeError as error:
        detail = (
            f"The body is not JSON: parsing stopped at line {error.lineno}, column {error.colno} "
            f"({error.msg}). Correct it there."
        )
        raise BodyError(INVALID_JSON, detail) from None
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8: byte {error.start} is invalid. Encode it as UTF-8."
        raise BodyError(INVALID_JSON, detail) from None
    except ValueError:  # an integer of thousands of digits
        detail = "The JSON has a number with thousands of digits; shorten it."
        raise BodyError(INVALID_JSON, detail) from None


def _declared_length(scope: Scope) -> int:
    """Return the Content-Length; 0 if it is missing or not a number."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])  # Python refuses to parse thousands of digits
    return 0
