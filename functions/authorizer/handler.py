"""Entry point of the authorizer: wiring, and the one place that reads its environment."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aisle.errors import AisleError, NotAuthenticatedError
from aisle.keyring import keyring
from aisle.store import Store, open_store
from authorizer.policy import UnauthorizedError, authorize
from authorizer.settings import Settings

_settings = Settings.read(os.environ)


@cache
def _store() -> Store:
    return open_store(_settings.store, patient=False)


_keys = keyring(_settings.keys, _store)
with suppress(AisleError):  # each request tries again, and tells
    _keys()


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return what the request's key opens; raise UnauthorizedError, a 401, where it is no good."""
    try:
        return authorize(event, _keys(), now=datetime.now(UTC))
    except NotAuthenticatedError:
        raise UnauthorizedError from None
