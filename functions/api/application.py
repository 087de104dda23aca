"""The application that every function's interface starts from."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from aisle import __version__
from api.body import MAX_BYTES, BodyLimit
from api.docs import add_docs
from api.errors import add_error_handlers
from api.problems import KINDS, Problem

OPENAPI_URL = "/v1/openapi.json"
DOCS_URL = "/v1/docs"

_PROBLEMS = """
## Errors

Every error is a problem as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) has it, sent as
`application/problem+json`. Its `type` is what a program compares; it stays the same, and there is
nothing to fetch at it. Its `detail` says what to do, and `errors` which fields it is about.

| type | status | title |
| --- | --- | --- |
"""


class Api(FastAPI):
    """A FastAPI application whose errors are problems, and whose description says so."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description, with the schemas that problems have."""
        described = super().openapi()
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        if Problem.__name__ not in schemas:
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs") | {Problem.__name__: problem}
        return described


def make_api(
    title: str,
    description: str,
    *,
    tags: list[dict[str, Any]],
    max_body_bytes: int = MAX_BYTES,
) -> Api:
    """Make an application with error table, body limit, description and docs, but no routes.

    Its links are relative: behind a prefix it needs no more than the server's own root path.
    """
    kinds = "\n".join(f"| `{kind.type}` | {kind.status} | {kind.title} |" for kind in KINDS)
    api = Api(
        title=title,
        description=description.strip() + "\n" + _PROBLEMS + kinds + "\n",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=tags,
        openapi_url=OPENAPI_URL,
        docs_url=None,
        redoc_url=None,
        # Relative to the description: right behind every prefix, and the same text everywhere.
        servers=[{"url": "..", "description": "Where this description was read"}],
        root_path_in_servers=False,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    api.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    add_error_handlers(api)
    add_docs(api, DOCS_URL)
    return api


def _operation_id(route: APIRoute) -> str:
    return route.name
