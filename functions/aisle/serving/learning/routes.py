"""The routes that tell how the model comes to learn: feedback, training, models, reports."""

from http import HTTPStatus
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Path, Request
from starlette.exceptions import HTTPException

from aisle.serving.http.access import Requires
from aisle.serving.http.problems import (
    FORBIDDEN,
    INVALID_INPUT,
    NOT_FOUND,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    documented,
)
from aisle.serving.learning.records import LearningRecords
from aisle.serving.learning.schemas import (
    FeedbackStatsResponse,
    ModelsResponse,
    ReportResponse,
    TrainingResponse,
)

TAG: Final = "learning"

router = APIRouter(
    prefix="/v1",
    tags=[TAG],
    dependencies=[Depends(Requires("predict"))],
    responses=documented(UNAUTHENTICATED, FORBIDDEN, TOO_MANY_REQUESTS),
)


def _records(request: Request) -> LearningRecords:
    return cast("LearningRecords", request.app.state.records)


RecordsDep = Annotated[LearningRecords, Depends(_records)]


@router.get(
    "/feedback/stats", summary="Count the feedback", response_description="What is known of it."
)
def count_feedback(records: RecordsDep) -> FeedbackStatsResponse:
    """Tell how much feedback there is, how much of it is new, and whether training is due."""
    return records.feedback()


@router.get(
    "/training", summary="Follow the training", response_description="The latest training run."
)
def follow_training(records: RecordsDep) -> TrainingResponse:
    """Tell how the latest training run is getting on, stage by stage."""
    return records.training()


@router.get("/models", summary="List the models", response_description="The models there are.")
def list_models(records: RecordsDep) -> ModelsResponse:
    """List the models, published or refused, and what became of them, the newest first."""
    return records.models()


@router.get(
    "/models/{version}/report",
    summary="Read a model's report",
    response_description="What was measured of it.",
    responses=documented(NOT_FOUND, INVALID_INPUT),
)
def read_report(
    version: Annotated[str, Path(description="As the list has it, or `packaged`.")],
    records: RecordsDep,
) -> ReportResponse:
    """Return what was measured when the model was made, why it was published or refused."""
    found = records.report(version)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return ReportResponse.model_validate(found)
