"""The policy document for API Gateway: which routes a request's key opens."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aisle.access import api_keys, scopes
from aisle.access.api_keys import ApiKey, ApiKeys

_PARAMETER: Final = re.compile(r"\{[^}]*\}")


class UnauthorizedError(Exception):
    """Makes API Gateway answer 401, which requires exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def authorize(event: Mapping[str, Any], keys: ApiKeys, *, now: datetime) -> dict[str, Any]:
    """Return the policy of the key in a request's header.

    Raises as `aisle.access.api_keys.check` does.
    """
    return policy(api_keys.check(keys, presented_key(event), now=now), event["methodArn"])


def presented_key(event: Mapping[str, Any]) -> str | None:
    """Return the key in a request's headers, whose names API Gateway passes on as written."""
    headers = event.get("headers") or {}
    header = api_keys.HEADER.lower()
    return next((value for name, value in headers.items() if name.lower() == header), None)


def policy(record: ApiKey, method_arn: str) -> dict[str, Any]:
    """Allow all routes of the key's scopes and the docs, not only the requested one.

    API Gateway caches the policy for all requests with this key: a policy for the first requested
    route alone would refuse the others.
    """
    # arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>
    api, stage, *_ = method_arn.split("/")
    opened = [route for scope in record.scopes for route in scopes.ROUTES[scope]]
    routes = [_PARAMETER.sub("*", route).split(" ") for route in (*opened, *scopes.DOCS)]
    return _answer(
        record.client, "Allow", [f"{api}/{stage}/{method}{path}" for method, path in routes]
    ) | {
        "context": {"client": record.client, "scopes": " ".join(record.scopes)},
        "usageIdentifierKey": record.usage_id,
    }


def refusal(method_arn: str) -> dict[str, Any]:
    """Deny the requested route: a 403."""
    return _answer("nobody", "Deny", [method_arn])


def _answer(principal: str, effect: str, resources: list[str]) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resources}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
