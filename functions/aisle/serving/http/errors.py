"""The error table: the one place that maps exceptions to problems.

A client sees an exception's message only if it is about the client's own request. For all other
exceptions, the client gets a fixed sentence and the log gets the cause.
"""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aisle.errors import (
    AisleError,
    BundleError,
    ConfigurationError,
    DataError,
    InvalidProductError,
    NotAuthenticatedError,
    NotPermittedError,
    StoreError,
)
from aisle.serving.http.body import BodyError
from aisle.serving.http.problems import (
    FORBIDDEN,
    INTERNAL,
    INVALID_INPUT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHENTICATED,
    UNAVAILABLE,
    ErrorAnswer,
    FieldError,
    Kind,
    kind_of_status,
)
from aisle.serving.http.telemetry import route_of
from aisle.serving.http.validation import field_errors, summary

_log = logging.getLogger(__name__)

# The most specific class wins; an HTTPException has its own status.
TABLE: Mapping[type[Exception], Kind] = {
    RequestValidationError: INVALID_INPUT,
    DataError: INVALID_INPUT,
    BundleError: UNAVAILABLE,
    StoreError: UNAVAILABLE,
    ConfigurationError: UNAVAILABLE,
    NotAuthenticatedError: UNAUTHENTICATED,
    NotPermittedError: FORBIDDEN,
    AisleError: INTERNAL,
    Exception: INTERNAL,
}

_FIXED = {
    NOT_FOUND: "There is nothing at this address; /v1/docs lists the addresses that exist.",
    UNAVAILABLE: "The service is temporarily unavailable; try again in a minute.",
    INTERNAL: "The server failed; the request is not at fault; try again in a minute.",
}
_HEADERS = {UNAVAILABLE: {"Retry-After": "60"}, UNAUTHENTICATED: {"WWW-Authenticate": "ApiKey"}}
_SERVER_ERROR = 500


def add_error_handlers(app: FastAPI) -> None:
    """Make an application answer every error as the table specifies."""
    handled: list[type[Exception]] = [HTTPException, *TABLE]
    handled.remove(Exception)  # Starlette would answer it and then raise it again
    for error in handled:
        app.add_exception_handler(error, _handle)
    app.add_middleware(CatchUnexpected)


class CatchUnexpected:
    """ASGI middleware that answers exceptions without a handler."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and answer the exception that it raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if began:
                raise
            await _respond(error, scope)(scope, receive, send)


def answer(error: Exception) -> ErrorAnswer:
    """Return what a client is told about an error."""
    if isinstance(error, HTTPException):
        return _answer_http(error)
    kind = next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)
    headers = _HEADERS.get(kind)
    if kind in _FIXED:
        return ErrorAnswer(kind, _FIXED[kind], headers=headers)
    errors: tuple[FieldError, ...] = ()
    if isinstance(error, RequestValidationError):
        errors = field_errors(error.errors())
    elif isinstance(error, InvalidProductError):
        errors = (FieldError(field=error.field, detail=str(error)),)
    return ErrorAnswer(kind, summary(errors) if errors else str(error), errors, headers)


def _answer_http(error: HTTPException) -> ErrorAnswer:
    kind = error.kind if isinstance(error, BodyError) else kind_of_status(error.status_code)
    detail = _FIXED.get(kind, error.detail)
    if kind is METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"This address does not support this method; use {allowed}."
    return ErrorAnswer(kind, detail, headers=error.headers)


async def _handle(request: Request, error: Exception) -> Response:
    return _respond(error, request.scope)


def _respond(error: Exception, scope: Scope) -> Response:
    result = answer(error)
    if result.kind.status >= _SERVER_ERROR:
        request = scope.get("state", {}).get("correlation_id", "unknown")
        where = f"{scope['method']} {route_of(scope)}"
        status = result.kind.status
        _log.error("%s answered %d (request %s).", where, status, request, exc_info=error)
    return result.response(scope)
