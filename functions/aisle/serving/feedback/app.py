"""The feedback API as an application."""

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
Was the predicted category right? Confirm it, or name the right one: the next model learns from it.
"""
TAGS = [{"name": routes.TAG, "description": "Confirm or correct predictions."}]


def add_routes(
    api: FastAPI, store: Callable[[], Store], predictor: Predictor | None = None
) -> None:
    """Add the routes to an application; `store` opens the store for feedback.

    `predictor`, where the process has a model, predicts what a client does not state.
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
    """Make the feedback API alone, as its Lambda function runs it."""
    api = make_api(
        DESCRIPTION, TAGS, settings=settings or ApiSettings(), access=access, telemetry=telemetry
    )
    add_routes(api, store)
    return api
