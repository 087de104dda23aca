"""The predict API, put together."""

from collections.abc import Callable

from fastapi import FastAPI

from aisle.classifier import Classifier
from api.application import make_api
from api.problems import INTERNAL, UNAVAILABLE, documented
from predict import catalogue, predictions
from predict.settings import Settings

_DESCRIPTION = """
Which aisle does this product belong in? Send a product as a shop types it, a name, a description,
perhaps a manufacturer and a price, and get its category: the path in the shop's taxonomy, a
confidence for every level of it, the alternatives, the words that decided, and whether a person
should look.
"""
_TAGS = [
    {"name": predictions.TAG, "description": "Classify one product, or up to a hundred at once."},
    {"name": catalogue.TAG, "description": "What the model knows, and how good it is."},
]


def create_app(classifier: Callable[[], Classifier], settings: Settings | None = None) -> FastAPI:
    """Make the predict API.

    `classifier` is asked at each request for the classifier that serves, so that a newer one can
    take its place; it raises BundleError or StoreError where there is none. The address `/` is left
    for whoever wants to put a page there.
    """
    chosen = settings or Settings()
    api = make_api(
        "Aisle",
        _DESCRIPTION,
        tags=_TAGS,
        max_body_bytes=chosen.max_body_bytes,
    )
    api.state.classifier = classifier
    for router in (predictions.router, catalogue.router):
        api.include_router(router, responses=documented(INTERNAL, UNAVAILABLE))
    return api
