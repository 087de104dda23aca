"""The routes that take feedback."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response, status
from pydantic import ValidationError

from aisle.errors import AisleError, InvalidProductError, StoreError
from aisle.feedback.event import FeedbackEvent, NamedCategory, Recorded, record_feedback
from aisle.product import Product
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

Predictor = Callable[[Sequence[Product]], list[NamedCategory]]
"""Return what the model that serves answers for each product; may raise AisleError."""

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
    said.asked()  # before the model is asked about it
    (predicted,) = _predicted(request, [said])
    event = said.event(client=client, now=datetime.now(UTC), predicted=predicted)
    recorded = record_feedback(request.app.state.store(), event)
    telemetry.count("Feedback", 1)
    telemetry.count("FeedbackRepeated", float(not recorded.new))
    if not recorded.new:
        response.status_code = status.HTTP_200_OK
    return FeedbackResponse(feedback_id=recorded.feedback_id, status=_status(recorded))


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
    checked = [_check(item) for item in said.feedback]
    good = [item for item in checked if isinstance(item, FeedbackRequest)]
    predicted = iter(_predicted(request, good))
    events = [
        item.event(client=client, now=now, predicted=next(predicted))
        if isinstance(item, FeedbackRequest)
        else item
        for item in checked
    ]

    def keep(event: FeedbackEvent | FeedbackFailed) -> FeedbackKept | FeedbackFailed:
        return _keep(store, event) if isinstance(event, FeedbackEvent) else event

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = [*pool.map(keep, events)]
    kept = [each for each in results if isinstance(each, FeedbackKept)]
    telemetry.count("Feedback", len(kept))
    telemetry.count("FeedbackRepeated", sum(each.status == "known" for each in kept))
    return FeedbackBatchResponse(results=results)


def _predicted(request: Request, said: Sequence[FeedbackRequest]) -> Sequence[NamedCategory | None]:
    """Return what the model predicts for each that `may_disagree`, else None.

    Where the model cannot be asked, feedback is kept all the same.
    """
    predictor: Predictor | None = request.app.state.predictor
    asked = [each for each in said if each.may_disagree()]
    if predictor is None or not asked:
        return [None] * len(said)
    try:
        answers = iter(predictor([each.asked() for each in asked]))
    except AisleError:
        _log.exception("The model could not be asked what it had predicted; it stays unknown.")
        return [None] * len(said)
    return [next(answers) if each.may_disagree() else None for each in said]


def _check(item: Any) -> FeedbackRequest | FeedbackFailed:  # noqa: ANN401  # whatever was sent
    try:
        said = FeedbackRequest.model_validate(item)
        said.asked()
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False), whole="feedback")
        return _failed(ErrorAnswer(INVALID_INPUT, summary(errors), errors))
    except InvalidProductError as error:
        return _failed(answer(error))
    return said


def _keep(store: Store, event: FeedbackEvent) -> FeedbackKept | FeedbackFailed:
    try:
        recorded = record_feedback(store, event)
    except StoreError as error:
        _log.exception("One piece of feedback of a batch could not be kept.")
        return _failed(answer(error))
    return FeedbackKept(status=_status(recorded), id=recorded.feedback_id)


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


def _status(recorded: Recorded) -> Status:
    return "recorded" if recorded.new else "known"
