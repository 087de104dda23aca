"""What an application tells of its work, whoever listens: nobody, or CloudWatch.

Product texts and API keys are never told, only counts, shares, names of routes and clients.
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
    """Listen to what an application tells."""

    def begin(self, correlation_id: str) -> None:
        """Begin a request: what is logged from here on belongs to it."""

    def count(self, name: str, *values: float, **facts: str) -> None:
        """Count things, each value so many of them; `facts` say of what."""

    def measure(self, name: str, *values: float) -> None:
        """Note values without a unit, of which the mean and the spread are of interest."""


class Silence:
    """Listen to nothing."""

    def begin(self, correlation_id: str) -> None:
        """Forget it."""

    def count(self, name: str, *values: float, **facts: str) -> None:
        """Forget it."""

    def measure(self, name: str, *values: float) -> None:
        """Forget it."""


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
    """Name the route of a request for a log: not the path as sent, which may say anything."""
    return str(getattr(scope.get("route"), "path", "none"))


def _correlation_id(scope: Scope) -> str:
    """Return the client's own id of the request where it is fit for a log, else the gateway's."""
    sent = Headers(scope=scope).get(CORRELATION_HEADER, "")
    if _CORRELATION_ID.fullmatch(sent):
        return sent
    context = scope.get("aws.event", {}).get("requestContext", {})
    return str(context.get("requestId") or uuid.uuid4())


def telemetry_of(request: Request) -> Telemetry:
    """Return what the application tells its work to."""
    return cast("Telemetry", request.app.state.telemetry)


TelemetryDep = Annotated[Telemetry, Depends(telemetry_of)]
