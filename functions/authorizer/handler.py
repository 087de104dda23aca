"""Entry point of the authorizer: wiring, and the only code that reads its environment."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aisle.access.keyring import keyring
from aisle.errors import AisleError, NotAuthenticatedError
from aisle.store import Store, open_store
from authorizer.policy import UnauthorizedError, authorize, refusal
from authorizer.settings import AuthorizerSettings

_settings = AuthorizerSettings.read(os.environ)
_in_sam_local = os.environ.get("AWS_SAM_LOCAL") == "true"  # SAM sets it in its containers


@cache
def _store() -> Store:
    return open_store(_settings.store, patient=False)


_keys = keyring(_settings.keys, _store)
with suppress(AisleError):  # each request tries again and reports the error
    _keys()


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the policy of the request's key; raise UnauthorizedError, a 401, if it is not valid.

    `sam local` would turn that error into a 502, so there the result is a policy that denies: 403.
    """
    try:
        return authorize(event, _keys(), now=datetime.now(UTC))
    except NotAuthenticatedError:
        if _in_sam_local:
            return refusal(event["methodArn"])
        raise UnauthorizedError from None
