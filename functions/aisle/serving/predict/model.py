"""The routes about the current model and its health."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from aisle.serving.http.access import Requires
from aisle.serving.http.problems import (
    FORBIDDEN,
    INVALID_INPUT,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    documented,
)
from aisle.serving.predict.dependencies import ClassifierDep
from aisle.serving.predict.schemas import (
    CategoriesQuery,
    CategoriesResponse,
    HealthResponse,
    ModelResponse,
    listed_category,
)

TAG: Final = "model"

router = APIRouter(tags=[TAG])
_GUARD = Depends(Requires("predict"))
_REFUSALS = documented(UNAUTHENTICATED, FORBIDDEN, TOO_MANY_REQUESTS)


@router.get(
    "/v1/categories",
    summary="Search the categories",
    response_description="A page of matching categories.",
    dependencies=[_GUARD],
    responses=_REFUSALS | documented(INVALID_INPUT),
)
def list_categories(
    query: Annotated[CategoriesQuery, Query()], classifier: ClassifierDep
) -> CategoriesResponse:
    """Find categories by the words in their path, one page at a time.

    Matches in a category's own name come before matches in its ancestors, then categories with
    more products before those with fewer.
    """
    taxonomy = classifier.taxonomy
    classes = frozenset(taxonomy.classes)
    matches = taxonomy.search(query.q)
    end = query.offset + query.limit
    return CategoriesResponse(
        items=[
            listed_category(entry, predicted=entry.path in classes)
            for entry in matches[query.offset : end]
        ],
        total=len(matches),
        next_offset=end if end < len(matches) else None,
    )


@router.get(
    "/v1/model",
    summary="Describe the current model",
    response_description="The current model.",
    dependencies=[_GUARD],
    responses=_REFUSALS,
)
def describe_model(classifier: ClassifierDep) -> ModelResponse:
    """Return the model's version, its training data and its figures on the frozen test."""
    manifest, taxonomy = classifier.manifest, classifier.taxonomy
    return ModelResponse(
        version=manifest.model_version,
        normalizer_version=manifest.normalizer_version,
        labels=len(taxonomy.classes),
        categories=len(taxonomy.entries),
        levels=taxonomy.depth,
        answer_thresholds=list(manifest.answer_thresholds),
        metrics=classifier.metrics,
        dataset=manifest.dataset,
        libraries=manifest.libraries,
    )


@router.get("/healthz", summary="Check the health", response_description="The service can predict.")
def check_health(classifier: ClassifierDep) -> HealthResponse:
    """Return the version of the current model, or 503 if there is none. No API key is needed."""
    return HealthResponse(status="ok", model_version=classifier.model_version)
