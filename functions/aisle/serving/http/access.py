"""Who may ask: the API key of a request, and the dependency that asks for it.

An application is given one `Access`; its routes say with `requires` which scope they need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.concurrency import run_in_threadpool

from aisle.access import api_keys, scopes
from aisle.access.api_keys import ApiKeys
from aisle.access.scopes import Scope
from aisle.errors import NotAuthenticatedError

NOBODY = "anonymous"
"""The client of a request where no key is asked for."""

_HEADER = APIKeyHeader(
    name=api_keys.HEADER,
    scheme_name="ApiKey",
    description="As `aisle keys create` shows it, once. It opens what its scopes say.",
    auto_error=False,
)


Access = Callable[[Request, Scope], str]
"""Return the client of a request that may pass; else raise NotAuthenticatedError or
NotPermittedError."""


def open_access(_request: Request, _scope: Scope) -> str:
    """Let everyone pass."""
    return NOBODY


class KeyAccess:
    """Ask for a key; with `open_without_keys`, only from when there is one to ask for."""

    def __init__(
        self,
        keys: Callable[[], ApiKeys],
        *,
        open_without_keys: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keys = keys
        self._open = open_without_keys
        self._now = now

    def __call__(self, request: Request, scope: Scope) -> str:
        """Check the key in the request's header."""
        keys = self._keys()
        # Once there was a key, its removal closes the door; it does not open it.
        self._open = self._open and not keys
        if self._open:
            return NOBODY
        presented = request.headers.get(api_keys.HEADER)
        return api_keys.check(keys, presented, now=self._now(), scope=scope).client


def gateway_access(request: Request, scope: Scope) -> str:
    """Take the word of API Gateway's authorizer, which has made the same check."""
    context = request.scope.get("aws.event", {}).get("requestContext", {})
    found = context.get("authorizer") or {}
    client = found.get("client")
    if not client:
        raise NotAuthenticatedError("The request came past the check of its API key; send one.")
    scopes.require(scope, found.get("scopes", "").split())
    return str(client)


@dataclass(frozen=True, slots=True)
class Requires:
    """A dependency that lets a request pass whose key has the scope; it gives the client."""

    scope: Scope

    async def __call__(
        self, request: Request, _header: Annotated[str | None, Security(_HEADER)] = None
    ) -> str:
        """Ask the application's access, once a request: it may have to read keys."""
        if getattr(request.state, "admitted", None) != self.scope:
            access: Access = request.app.state.access
            request.state.client = await run_in_threadpool(access, request, self.scope)
            request.state.admitted = self.scope
        return str(request.state.client)


def client_of(request: Request) -> str:
    """Return the client whom a `Requires` has let pass."""
    return str(request.state.client)


ClientDep = Annotated[str, Depends(client_of)]
