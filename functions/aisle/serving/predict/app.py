"""The predict API as an application."""

from collections.abc import Callable

from fastapi import FastAPI

from aisle.model.classifier import Classifier
from aisle.serving.http.access import Access, open_access
from aisle.serving.http.application import make_api
from aisle.serving.http.problems import INTERNAL, UNAVAILABLE, documented
from aisle.serving.http.settings import ApiSettings
from aisle.serving.http.telemetry import Telemetry
from aisle.serving.learning import routes
from aisle.serving.learning.records import LearningRecords
from aisle.serving.predict import model, predictions
from aisle.store import Store

DESCRIPTION = """
Which aisle does this product belong in? Send a product as a shop types it: a name, a description,
and optionally a manufacturer and a price. The response has its category: the path in the shop's
taxonomy, a confidence for every level, the alternatives, the words that decided, and whether a
person should review it.
"""
TAGS = [
    {"name": predictions.TAG, "description": "Classify one product, or up to a hundred at once."},
    {"name": model.TAG, "description": "The current model: its categories, version and figures."},
    {"name": routes.TAG, "description": "Feedback counts, training status, models and reports."},
]


def add_routes(
    api: FastAPI, classifier: Callable[[], Classifier], store: Callable[[], Store] | None = None
) -> None:
    """Add the routes to an application.

    Each request calls `classifier` for the current classifier, so that the model can be swapped; it
    raises BundleError or StoreError if there is none. `store` opens the store with the records of
    feedback, training and models.
    """
    api.state.classifier = classifier
    api.state.records = LearningRecords(store)
    for router in (predictions.router, model.router, routes.router):
        api.include_router(router, responses=documented(INTERNAL, UNAVAILABLE))


def create_app(
    classifier: Callable[[], Classifier],
    settings: ApiSettings | None = None,
    *,
    store: Callable[[], Store] | None = None,
    access: Access = open_access,
    telemetry: Telemetry | None = None,
) -> FastAPI:
    """Make the predict API alone, as its Lambda function runs it.

    The address `/` stays free for a page.
    """
    api = make_api(
        DESCRIPTION,
        TAGS,
        settings=settings or ApiSettings(),
        access=access,
        telemetry=telemetry,
    )
    add_routes(api, classifier, store)
    return api
