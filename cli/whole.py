"""The whole API in one application: what the functions answer one by one, under one address."""

from collections.abc import Callable

from fastapi import FastAPI

import feedback.app
import predict.app
from aisle.classifier import Classifier
from aisle.store import Store
from api.access import Access, open_access
from api.application import make_api
from api.settings import ApiSettings
from api.telemetry import Telemetry


def whole_api(
    classifier: Callable[[], Classifier],
    store: Callable[[], Store],
    settings: ApiSettings | None = None,
    *,
    access: Access = open_access,
    telemetry: Telemetry | None = None,
) -> FastAPI:
    """Make the application, of the functions' own routes."""
    api = make_api(
        predict.app.DESCRIPTION + feedback.app.DESCRIPTION,
        [*predict.app.TAGS, *feedback.app.TAGS],
        settings=settings or ApiSettings(),
        access=access,
        telemetry=telemetry,
    )
    predict.app.add_routes(api, classifier, store)
    feedback.app.add_routes(api, store)
    return api
