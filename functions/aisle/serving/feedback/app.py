"""The feedback API, put together."""

from collections.abc import Callable

from fastapi import FastAPI

from aisle.serving.feedback import routes
from aisle.serving.feedback.routes import Predictor
from aisle.serving.http.access import Access, open_access
from aisle.serving.http.application import make_api
from aisle.serving.http.problems import INTERNAL, UNAVAILABLE, documented
from aisle.serving.http.settings import ApiSettings
from aisle.serving.http.telemetry import Telemetry
from aisle.store import Store

DESCRIPTION = """
Was the category right? Say so, or say which one is, and the next model learns from it.
"""
TAGS = [{"name": routes.TAG, "description": "Say whether a prediction is right."}]


def add_routes(
    api: FastAPI, store: Callable[[], Store], predictor: Predictor | None = None
) -> None:
    """Add the routes to an application; `store` opens the store that keeps feedback.

    `predictor` asks the model that serves, where it is at hand, what a client does not say.
    """
    api.state.store = store
    api.state.predictor = predictor
    api.include_router(routes.router, responses=documented(INTERNAL, UNAVAILABLE))


def create_app(
    store: Callable[[], Store],
    settings: ApiSettings | None = None,
    *,
    access: Access = open_access,
    telemetry: Telemetry | None = None,
) -> FastAPI:
    """Make the feedback API, by itself as a function runs it."""
    api = make_api(
        DESCRIPTION, TAGS, settings=settings or ApiSettings(), access=access, telemetry=telemetry
    )
    add_routes(api, store)
    return api
