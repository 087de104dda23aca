"""Access control of requests: the API key, and the dependency that checks it.

An application has one `Access`; its routes declare the scope they need with `Requires`.
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
"""The client name of all requests to a server without keys."""

_HEADER = APIKeyHeader(
    name=api_keys.HEADER,
    scheme_name="ApiKey",
    description="A key from `aisle keys create`. Its scopes decide which routes it opens.",
    auto_error=False,
)


Access = Callable[[Request, Scope], str]
"""Return the client of an admitted request; raise NotAuthenticatedError or NotPermittedError for
any other."""


def open_access(_request: Request, _scope: Scope) -> str:
    """Admit every request."""
    return NOBODY


class KeyAccess:
    """Require a key; with `open_without_keys`, only once at least one key exists."""

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
        """Check the key in the request's header and return its client."""
        keys = self._keys()
        # Once a key has existed, removing it does not open the API again.
        self._open = self._open and not keys
        if self._open:
            return NOBODY
        presented = request.headers.get(api_keys.HEADER)
        return api_keys.check(keys, presented, now=self._now(), scope=scope).client


def gateway_access(request: Request, scope: Scope) -> str:
    """Trust API Gateway's authorizer, which has made the same check."""
    context = request.scope.get("aws.event", {}).get("requestContext", {})
    authorized = context.get("authorizer") or {}
    client = authorized.get("client")
    if not client:
        raise NotAuthenticatedError("The request's API key was not checked; send a key.")
    scopes.require(scope, authorized.get("scopes", "").split())
    return str(client)


@dataclass(frozen=True, slots=True)
class Requires:
    """A dependency that admits requests whose key has the scope, and returns the client."""

    scope: Scope

    async def __call__(
        self, request: Request, _header: Annotated[str | None, Security(_HEADER)] = None
    ) -> str:
        """Check access once per request, in a thread, because it may have to read the keys."""
        if getattr(request.state, "admitted", None) != self.scope:
            access: Access = request.app.state.access
            request.state.client = await run_in_threadpool(access, request, self.scope)
            request.state.admitted = self.scope
        return str(request.state.client)


def client_of(request: Request) -> str:
    """Return the client that a `Requires` has admitted."""
    return str(request.state.client)


ClientDep = Annotated[str, Depends(client_of)]
