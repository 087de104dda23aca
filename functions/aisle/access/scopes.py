"""The scopes of API keys, and the routes that each scope opens.

The server and API Gateway's authorizer use the same table.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from aisle.errors import NotPermittedError

Scope = Literal["predict", "feedback"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

ROUTES: Final[Mapping[Scope, tuple[str, ...]]] = MappingProxyType(
    {
        "predict": (
            "POST /v1/predict",
            "POST /v1/predict/batch",
            "GET /v1/categories",
            "GET /v1/model",
            "GET /v1/models",
            "GET /v1/models/{version}/report",
            "GET /v1/training",
            "GET /v1/feedback/stats",
        ),
        "feedback": ("POST /v1/feedback", "POST /v1/feedback/batch"),
    }
)
"""The routes of each scope, as they are declared; any other route needs no key."""

DOCS: Final = ("GET /v1/docs", "GET /v1/docs/*", "GET /v1/openapi.json")
"""The routes that every key opens behind API Gateway, where all but `/healthz` needs a key."""

SITE: Final = "site"
"""The demo page's client name: anyone may use the page, so its feedback is held for review."""


def require(scope: Scope, held: Iterable[str]) -> None:
    """Raise NotPermittedError unless the scope is in `held`."""
    if scope not in held:
        raise NotPermittedError(
            f"The API key is valid, but lacks the scope '{scope}'. Ask for a key that has it."
        )
