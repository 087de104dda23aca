"""The routes that take feedback."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response, status
from pydantic import ValidationError

from aisle.errors import InvalidProductError, StoreError
from aisle.feedback.event import Recorded, record_feedback
from aisle.serving.feedback.schemas import (
    FeedbackBatchRequest,
    FeedbackBatchResponse,
    FeedbackFailed,
    FeedbackKept,
    FeedbackProblem,
    FeedbackRequest,
    FeedbackResponse,
    Status,
)
from aisle.serving.http.access import ClientDep, Requires
from aisle.serving.http.body import JsonRoute
from aisle.serving.http.errors import answer
from aisle.serving.http.problems import INVALID_INPUT, OF_A_JSON_BODY, ErrorAnswer, documented
from aisle.serving.http.telemetry import TelemetryDep
from aisle.serving.http.validation import field_errors, summary
from aisle.store import Store

TAG: Final = "feedback"

_AT_ONCE: Final = 8

_log = logging.getLogger(__name__)

router = APIRouter(
    prefix="/v1/feedback",
    tags=[TAG],
    route_class=JsonRoute,
    dependencies=[Depends(Requires("feedback"))],
    responses=documented(*OF_A_JSON_BODY),
)


@router.post(
    "",
    name="record_feedback",
    summary="Say whether a prediction is right",
    status_code=status.HTTP_201_CREATED,
    response_description="It is recorded.",
    responses={
        status.HTTP_200_OK: {
            "model": FeedbackResponse,
            "description": "The same was recorded before.",
        }
    },
)
def post_feedback(
    said: FeedbackRequest,
    request: Request,
    response: Response,
    client: ClientDep,
    telemetry: TelemetryDep,
) -> FeedbackResponse:
    """Keep what a person says of a prediction, to learn from it.

    Send it again where the answer was lost: the same is kept once.
    """
    said.check()
    found = record_feedback(request.app.state.store(), said, client=client, now=datetime.now(UTC))
    telemetry.count("Feedback", 1)
    telemetry.count("FeedbackRepeated", float(not found.new))
    if not found.new:
        response.status_code = status.HTTP_200_OK
    return FeedbackResponse(feedback_id=found.feedback_id, status=_status(found))


@router.post(
    "/batch",
    name="record_feedback_batch",
    summary="Say it of up to a hundred predictions",
    response_description="What became of each.",
)
def post_feedback_batch(
    said: FeedbackBatchRequest, request: Request, client: ClientDep, telemetry: TelemetryDep
) -> FeedbackBatchResponse:
    """Keep what a person says of many predictions; return one result for each, in their order.

    Each is `recorded`, `known` where the same was kept before, or `failed` with the problem; the
    others are kept all the same. Send it again where the answer was lost, whole.
    """
    store, now = request.app.state.store(), datetime.now(UTC)

    def keep(item: Any) -> FeedbackKept | FeedbackFailed:  # noqa: ANN401  # whatever was sent
        return _keep(store, item, client=client, now=now)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = [*pool.map(keep, said.feedback)]
    kept = [each for each in results if isinstance(each, FeedbackKept)]
    telemetry.count("Feedback", len(kept))
    telemetry.count("FeedbackRepeated", sum(each.status == "known" for each in kept))
    return FeedbackBatchResponse(results=results)


def _keep(store: Store, item: Any, *, client: str, now: datetime) -> FeedbackKept | FeedbackFailed:  # noqa: ANN401  # as above
    try:
        said = FeedbackRequest.model_validate(item)
        said.check()
        found = record_feedback(store, said, client=client, now=now)
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False), whole="feedback")
        return _failed(ErrorAnswer(INVALID_INPUT, summary(errors), errors))
    except InvalidProductError as error:
        return _failed(answer(error))
    except StoreError as error:
        _log.exception("One piece of feedback of a batch could not be kept.")
        return _failed(answer(error))
    return FeedbackKept(status=_status(found), id=found.feedback_id)


def _failed(told: ErrorAnswer) -> FeedbackFailed:
    return FeedbackFailed(
        status="failed",
        problem=FeedbackProblem(
            type=told.kind.type,
            title=told.kind.title,
            status=told.kind.status,
            detail=told.detail,
            errors=list(told.errors),
        ),
    )


def _status(found: Recorded) -> Status:
    return "recorded" if found.new else "known"
