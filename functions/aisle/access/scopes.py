"""What a key may be good for: the scopes, and which routes each opens.

One table for the server and for API Gateway's authorizer.
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
"""What each scope opens, as the routes are declared; the rest needs no key, or is not there."""

DOCS: Final = ("GET /v1/docs", "GET /v1/docs/*", "GET /v1/openapi.json")
"""What every key opens where all but the health of the API asks for one: behind API Gateway."""

SITE: Final = "site"
"""The client as which the demo page asks: whoever opens it, so its feedback is not trusted."""


def require(scope: Scope, held: Iterable[str]) -> None:
    """Raise NotPermittedError unless the scope is among those held."""
    if scope not in held:
        raise NotPermittedError(
            f"The API key is good, but not for this: it lacks the scope '{scope}'. Ask for one "
            "that has it."
        )
