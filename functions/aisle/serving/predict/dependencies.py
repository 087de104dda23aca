"""What the routes are given."""

from typing import Annotated, cast

from fastapi import Depends, Request

from aisle.model.classifier import Classifier


def current_classifier(request: Request) -> Classifier:
    """Ask the application's provider for the classifier that serves now."""
    return cast("Classifier", request.app.state.classifier())


ClassifierDep = Annotated[Classifier, Depends(current_classifier)]
