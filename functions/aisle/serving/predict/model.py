"""The routes that tell what the model knows, and that it is there."""

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
    response_description="A page of categories.",
    dependencies=[_GUARD],
    responses=_REFUSALS | documented(INVALID_INPUT),
)
def list_categories(
    query: Annotated[CategoriesQuery, Query()], classifier: ClassifierDep
) -> CategoriesResponse:
    """Find categories by the words in their path, a page at a time.

    A match in the category's own name comes before one in its ancestors, then the categories with
    more products.
    """
    taxonomy = classifier.taxonomy
    classes = frozenset(taxonomy.classes)
    found = taxonomy.search(query.q)
    end = query.offset + query.limit
    return CategoriesResponse(
        items=[
            listed_category(entry, predicted=entry.path in classes)
            for entry in found[query.offset : end]
        ],
        total=len(found),
        next_offset=end if end < len(found) else None,
    )


@router.get(
    "/v1/model",
    summary="Describe the model",
    response_description="The model.",
    dependencies=[_GUARD],
    responses=_REFUSALS,
)
def describe_model(classifier: ClassifierDep) -> ModelResponse:
    """Tell the model's version, what it was trained on and what was measured on its test."""
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


@router.get(
    "/healthz", summary="Check that predictions can be had", response_description="They can."
)
def check_health(classifier: ClassifierDep) -> HealthResponse:
    """Answer with the version of the model that serves; 503 where there is none.

    It needs no key.
    """
    return HealthResponse(status="ok", model_version=classifier.model_version)
