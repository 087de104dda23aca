"""Entry point of the feedback function: wiring, and the only code that reads its environment."""

import os
from contextlib import suppress
from functools import cache

from fastapi import FastAPI

from aisle.errors import ConfigurationError, StoreError
from aisle.serving.aws.gateway import failing, lambda_handler
from aisle.serving.aws.observability import Observability
from aisle.serving.feedback.app import create_app
from aisle.serving.http.access import gateway_access
from aisle.store import Store, open_store
from feedback.settings import FeedbackSettings

_observability = Observability("feedback")


def _app() -> FastAPI:
    try:
        settings = FeedbackSettings.read(os.environ)
    except ConfigurationError as error:
        return create_app(failing(error), access=gateway_access, telemetry=_observability)

    @cache
    def store() -> Store:
        return open_store(settings.store, patient=False)

    with suppress(StoreError):  # each request tries again and reports the error
        store()
    return create_app(store, settings, access=gateway_access, telemetry=_observability)


handler = lambda_handler(_app(), _observability)
