"""The predict API, put together."""

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
Which aisle does this product belong in? Send a product as a shop types it, a name, a description,
perhaps a manufacturer and a price, and get its category: the path in the shop's taxonomy, a
confidence for every level of it, the alternatives, the words that decided, and whether a person
should look.
"""
TAGS = [
    {"name": predictions.TAG, "description": "Classify one product, or up to a hundred at once."},
    {"name": model.TAG, "description": "What the model knows, and how good it is."},
    {"name": routes.TAG, "description": "How it comes to learn: feedback, training, models."},
]


def add_routes(
    api: FastAPI, classifier: Callable[[], Classifier], store: Callable[[], Store] | None = None
) -> None:
    """Add the routes to an application.

    `classifier` is asked at each request for the classifier that serves, so that a newer one can
    take its place; it raises BundleError or StoreError where there is none. `store` opens the store
    that knows of feedback, training and models.
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
    """Make the predict API, by itself as a function runs it.

    The address `/` is left for whoever wants to put a page there.
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
