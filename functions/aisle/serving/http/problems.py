"""Problem details (RFC 9457): the schema of error responses, and all kinds of problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse
from starlette.types import Scope

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: `type` is for programs, `title` for people."""

    type: str
    title: str
    status: int


BAD_REQUEST = Kind("/problems/bad-request", "The request is malformed", 400)
INVALID_JSON = Kind("/problems/invalid-json", "The body is not JSON", 400)
JSON_TOO_DEEP = Kind("/problems/json-too-deep", "The JSON is nested too deeply", 400)
UNAUTHENTICATED = Kind("/problems/unauthenticated", "A valid API key is needed", 401)
FORBIDDEN = Kind("/problems/forbidden", "The API key does not permit this", 403)
NOT_FOUND = Kind("/problems/not-found", "There is nothing at this address", 404)
METHOD_NOT_ALLOWED = Kind(
    "/problems/method-not-allowed", "This address does not support this method", 405
)
BODY_TOO_LARGE = Kind("/problems/body-too-large", "The body is too large", 413)
NOT_JSON = Kind("/problems/unsupported-media-type", "The body must be sent as JSON", 415)
INVALID_INPUT = Kind("/problems/invalid-input", "The input is not valid", 422)
TOO_MANY_REQUESTS = Kind("/problems/too-many-requests", "Too many requests", 429)
INTERNAL = Kind("/problems/internal", "The server failed", 500)
UNAVAILABLE = Kind("/problems/unavailable", "Temporarily unavailable", 503)

KINDS = (
    BAD_REQUEST,
    INVALID_JSON,
    JSON_TOO_DEEP,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    BODY_TOO_LARGE,
    NOT_JSON,
    INVALID_INPUT,
    TOO_MANY_REQUESTS,
    INTERNAL,
    UNAVAILABLE,
)

OF_A_JSON_BODY = (
    INVALID_JSON,
    JSON_TOO_DEEP,
    UNAUTHENTICATED,
    FORBIDDEN,
    BODY_TOO_LARGE,
    NOT_JSON,
    INVALID_INPUT,
    TOO_MANY_REQUESTS,
)
"""The problems of a route that takes JSON and needs a key."""


class FieldError(BaseModel):
    """A field at fault."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(
        description="A name or path such as `products[3].name`; `body` for the whole body.",
        examples=["name"],
    )
    detail: str = Field(
        description="What is wrong, and what to do about it.",
        examples=["'name' must be text, in quotes; a number was given."],
    )


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(
        description="The kind of problem: a stable identifier, not an address to fetch.",
        examples=[INVALID_INPUT.type],
    )
    title: str = Field(description="The kind of problem in words.", examples=[INVALID_INPUT.title])
    status: int = Field(description="The HTTP status.", examples=[INVALID_INPUT.status])
    detail: str = Field(
        description="What is wrong in this case, and what to do about it.",
        examples=["'name' must be text, in quotes; a number was given."],
    )
    instance: str = Field(description="The path of the request.", examples=["/v1/predict"])
    errors: list[FieldError] = Field(
        default=[], description="The fields at fault, if the problem is about fields."
    )


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What a client is told about an error."""

    kind: Kind
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] | None = None

    def response(self, scope: Scope) -> JSONResponse:
        """Return the response to the request of an ASGI scope."""
        problem = Problem(
            type=self.kind.type,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            instance=quote(scope["path"]),
            errors=list(self.errors),
        )
        return JSONResponse(
            problem.model_dump(exclude_defaults=True),
            self.kind.status,
            headers=self.headers,
            media_type=PROBLEM_JSON,
        )


def documented(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` of a route that may answer with these problems."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    titles: dict[int | str, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(f"{kind.title} (`{kind.type}`).")
    return {
        status: {"description": " ".join(lines), "content": {PROBLEM_JSON: {"schema": schema}}}
        for status, lines in titles.items()
    }


def kind_of_status(status: int) -> Kind:
    """Return the kind of problem for an HTTP status; `about:blank` if it has none of its own."""
    for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, BODY_TOO_LARGE, NOT_JSON, INTERNAL, UNAVAILABLE):
        if kind.status == status:
            return kind
    return Kind("about:blank", HTTPStatus(status).phrase, status)
