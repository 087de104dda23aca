"""Telemetry of an application: discarded, or sent to CloudWatch.

It never includes product texts or API keys, only counts, shares, and the names of routes and
clients.
"""

import logging
import re
import time
import uuid
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CORRELATION_HEADER = "X-Correlation-Id"

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SERVER_ERROR = 500

_log = logging.getLogger(__name__)


class Telemetry(Protocol):
    """Receives an application's telemetry."""

    def begin(self, correlation_id: str) -> None:
        """Begin a request: later log lines belong to it."""

    def count(self, name: str, *values: float, **facts: str) -> None:
        """Add values to a count; `facts` describe what was counted."""

    def measure(self, name: str, *values: float) -> None:
        """Record values without a unit, for their mean and percentiles."""


class Silence:
    """Telemetry that is discarded."""

    def begin(self, correlation_id: str) -> None:
        """Do nothing."""

    def count(self, name: str, *values: float, **facts: str) -> None:
        """Do nothing."""

    def measure(self, name: str, *values: float) -> None:
        """Do nothing."""


class Observed:
    """ASGI middleware that gives each request an id, logs how it ended, and counts failures."""

    def __init__(self, app: ASGIApp, *, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = _SERVER_ERROR
        correlation_id = _correlation_id(scope)
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        self._telemetry.begin(correlation_id)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._telemetry.count("ServerErrors", float(status >= _SERVER_ERROR))
            _log.info(
                "Answered.",
                extra={
                    "method": scope["method"],
                    "route": route_of(scope),
                    "status": status,
                    "milliseconds": round(1000 * (time.perf_counter() - began), 1),
                    "client": scope["state"].get("client", "none"),
                },
            )


def route_of(scope: Scope) -> str:
    """Return the route of a request for logs; the path as sent could contain anything."""
    return str(getattr(scope.get("route"), "path", "none"))


def _correlation_id(scope: Scope) -> str:
    """Return the client's correlation id if it is safe to log, else the gateway's or a new one."""
    sent = Headers(scope=scope).get(CORRELATION_HEADER, "")
    if _CORRELATION_ID.fullmatch(sent):
        return sent
    context = scope.get("aws.event", {}).get("requestContext", {})
    return str(context.get("requestId") or uuid.uuid4())


def telemetry_of(request: Request) -> Telemetry:
    """Return the application's telemetry."""
    return cast("Telemetry", request.app.state.telemetry)


TelemetryDep = Annotated[Telemetry, Depends(telemetry_of)]
