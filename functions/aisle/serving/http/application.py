"""The base application of every API."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from aisle import __version__
from aisle.access import api_keys
from aisle.serving.http.access import Access, open_access
from aisle.serving.http.body import BodyLimit
from aisle.serving.http.docs import add_docs
from aisle.serving.http.errors import add_error_handlers
from aisle.serving.http.problems import KINDS, Problem
from aisle.serving.http.settings import ApiSettings
from aisle.serving.http.telemetry import CORRELATION_HEADER, Observed, Silence, Telemetry

OPENAPI_URL = "/v1/openapi.json"
DOCS_URL = "/v1/docs"

_PROBLEMS = """
## Errors

Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), sent as
`application/problem+json`. Programs should compare `type`: it is a stable identifier, not an
address to fetch. `detail` says what is wrong and what to do, and `errors` lists the fields at
fault.

| type | status | title |
| --- | --- | --- |
"""


class Api(FastAPI):
    """A FastAPI application whose OpenAPI description includes the problem schemas."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description, with the schemas of problem details."""
        described = super().openapi()
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        if Problem.__name__ not in schemas:
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs") | {Problem.__name__: problem}
        return described


def make_api(
    description: str,
    tags: list[dict[str, Any]],
    *,
    settings: ApiSettings,
    access: Access = open_access,
    telemetry: Telemetry | None = None,
) -> Api:
    """Make an application with error table, body limit, description and docs, but no routes.

    `access` admits or refuses requests, `telemetry` receives logs and counts. Links are relative,
    so they work behind any prefix.
    """
    kinds = "\n".join(f"| `{kind.type}` | {kind.status} | {kind.title} |" for kind in KINDS)
    api = Api(
        title="Aisle",
        description=description.strip() + "\n" + _PROBLEMS + kinds + "\n",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=tags,
        openapi_url=OPENAPI_URL,
        docs_url=None,
        redoc_url=None,
        # Relative to the description: correct behind any prefix, and the same text everywhere.
        servers=[{"url": "..", "description": "The server that this description came from"}],
        root_path_in_servers=False,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    api.state.access = access
    api.state.telemetry = telemetry or Silence()
    # The middleware added last is the outermost.
    api.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    add_error_handlers(api)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", api_keys.HEADER, CORRELATION_HEADER],
            expose_headers=["Retry-After", CORRELATION_HEADER],
            max_age=3600,
        )
    api.add_middleware(Observed, telemetry=api.state.telemetry)
    add_docs(api, DOCS_URL)
    return api


def _operation_id(route: APIRoute) -> str:
    return route.name
