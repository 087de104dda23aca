"""Dependencies of the routes."""

from typing import Annotated, cast

from fastapi import Depends, Request

from aisle.model.classifier import Classifier


def current_classifier(request: Request) -> Classifier:
    """Return the current classifier from the application's provider."""
    return cast("Classifier", request.app.state.classifier())


ClassifierDep = Annotated[Classifier, Depends(current_classifier)]
