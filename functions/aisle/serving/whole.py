"""The whole API in one application: the routes of all functions under one address."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI

from aisle.feedback.event import NamedCategory
from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle.serving.feedback import app as feedback
from aisle.serving.http.access import Access, open_access
from aisle.serving.http.application import make_api
from aisle.serving.http.settings import ApiSettings
from aisle.serving.http.telemetry import Telemetry
from aisle.serving.predict import app as predict
from aisle.store import Store


def whole_api(
    classifier: Callable[[], Classifier],
    store: Callable[[], Store],
    settings: ApiSettings | None = None,
    *,
    access: Access = open_access,
    telemetry: Telemetry | None = None,
) -> FastAPI:
    """Make the application with the routes of all functions."""
    api = make_api(
        predict.DESCRIPTION + feedback.DESCRIPTION,
        [*predict.TAGS, *feedback.TAGS],
        settings=settings or ApiSettings(),
        access=access,
        telemetry=telemetry,
    )
    predict.add_routes(api, classifier, store)

    def predictor(products: Sequence[Product]) -> list[NamedCategory]:
        """Return the category that the current model predicts for each product."""
        predictions = classifier().predict(list(products), top_k=0, explain=False)
        paths = [prediction.category.path for prediction in predictions]
        return [NamedCategory(path[-1].id, tuple(node.name for node in path)) for path in paths]

    feedback.add_routes(api, store, predictor)
    return api
