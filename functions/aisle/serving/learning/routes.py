"""The routes about learning: feedback counts, training status, models, reports."""

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
    "/feedback/stats", summary="Get the feedback counts", response_description="The latest counts."
)
def count_feedback(records: RecordsDep) -> FeedbackStatsResponse:
    """Return how much feedback there is, how much of it is new, and whether retraining is due."""
    return records.feedback()


@router.get(
    "/training",
    summary="Get the training status",
    response_description="The status of the latest training job.",
)
def follow_training(records: RecordsDep) -> TrainingResponse:
    """Return the status of the latest training job, stage by stage."""
    return records.training()


@router.get("/models", summary="List the models", response_description="The models.")
def list_models(records: RecordsDep) -> ModelsResponse:
    """List the models that were published or refused, newest first, and their audit records."""
    return records.models()


@router.get(
    "/models/{version}/report",
    summary="Get a model's report",
    response_description="The report.",
    responses=documented(NOT_FOUND, INVALID_INPUT),
)
def read_report(
    version: Annotated[str, Path(description="A version from `GET /v1/models`, or `packaged`.")],
    records: RecordsDep,
) -> ReportResponse:
    """Return what training measured about the model, and why it was published or refused."""
    report = records.report(version)
    if report is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return ReportResponse.model_validate(report)
