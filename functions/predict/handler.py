"""Entry point of the predict function: wiring, and the only code that reads its environment."""

import os
from contextlib import suppress
from functools import cache

from fastapi import FastAPI

from aisle.errors import BundleError, ConfigurationError
from aisle.serving.aws.gateway import failing, lambda_handler
from aisle.serving.aws.observability import Observability
from aisle.serving.http.access import gateway_access
from aisle.serving.predict.app import create_app
from aisle.serving.predict.live import LiveModel
from aisle.store import Store, open_store
from predict.settings import PredictSettings

_observability = Observability("predict")


def _app() -> FastAPI:
    try:
        settings = PredictSettings.read(os.environ)
    except ConfigurationError as error:
        return create_app(failing(error), access=gateway_access, telemetry=_observability)

    @cache
    def open_once() -> Store:
        return open_store(settings.store, patient=False)

    store = open_once if settings.store else None
    model = LiveModel(store, telemetry=_observability, poll_seconds=settings.poll_seconds)
    with suppress(BundleError):  # it is logged, and each request tries again
        model()
    return create_app(model, settings, store=store, access=gateway_access, telemetry=_observability)


handler = lambda_handler(_app(), _observability)
