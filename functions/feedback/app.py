"""The feedback API, put together."""

from collections.abc import Callable

from fastapi import FastAPI

from aisle.store import Store
from api.access import Access, open_access
from api.application import make_api
from api.problems import INTERNAL, UNAVAILABLE, documented
from api.telemetry import Telemetry
from feedback import routes
from feedback.settings import Settings

DESCRIPTION = """
Was the category right? Say so, or say which one is, and the next model learns from it.
"""
TAGS = [{"name": routes.TAG, "description": "Say whether a prediction is right."}]


def add_routes(api: FastAPI, store: Callable[[], Store]) -> None:
    """Add the routes to an application; `store` opens the store that keeps feedback."""
    api.state.store = store
    api.include_router(routes.router, responses=documented(INTERNAL, UNAVAILABLE))


def create_app(
    store: Callable[[], Store],
    settings: Settings | None = None,
    *,
    access: Access = open_access,
    telemetry: Telemetry | None = None,
) -> FastAPI:
    """Make the feedback API, by itself as a function runs it."""
    api = make_api(
        DESCRIPTION, TAGS, settings=settings or Settings(), access=access, telemetry=telemetry
    )
    add_routes(api, store)
    return api
