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
"""Return the category that the current model predicts for each product; may raise AisleError."""

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
    summary="Confirm or correct a prediction",
    status_code=status.HTTP_201_CREATED,
    response_description="The feedback was recorded.",
    responses={
        status.HTTP_200_OK: {
            "model": FeedbackResponse,
            "description": "The same feedback was recorded earlier that day; nothing changed.",
        }
    },
)
def post_feedback(
    feedback: FeedbackRequest,
    request: Request,
    response: Response,
    client: ClientDep,
    telemetry: TelemetryDep,
) -> FeedbackResponse:
    """Record a person's feedback on a prediction; later models learn from it.

    The request is idempotent within a day (UTC): if the response was lost, send it again.
    """
    feedback.checked_product()  # raises for an unusable product, before the model sees it
    (predicted,) = _predicted(request, [feedback])
    event = feedback.event(client=client, now=datetime.now(UTC), predicted=predicted)
    recorded = record_feedback(request.app.state.store(), event)
    telemetry.count("Feedback", 1)
    telemetry.count("FeedbackRepeated", float(not recorded.new))
    if not recorded.new:
        response.status_code = status.HTTP_200_OK
    return FeedbackResponse(feedback_id=recorded.feedback_id, status=_status(recorded))


@router.post(
    "/batch",
    name="record_feedback_batch",
    summary="Confirm or correct up to a hundred predictions",
    response_description="One result for each piece of feedback, in the order of the request.",
)
def post_feedback_batch(
    batch: FeedbackBatchRequest, request: Request, client: ClientDep, telemetry: TelemetryDep
) -> FeedbackBatchResponse:
    """Record a person's feedback on many predictions; return one result for each, in order.

    A result's `status` is `recorded`, `known` if the same feedback was recorded earlier that day,
    or `failed`, with the problem. A failure does not affect the others. The request is idempotent
    within a day (UTC): if the response was lost, send the whole batch again.
    """
    store, now = request.app.state.store(), datetime.now(UTC)
    checked = [_check(item) for item in batch.feedback]
    valid = [item for item in checked if isinstance(item, FeedbackRequest)]
    predicted = iter(_predicted(request, valid))
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
    kept = [result for result in results if isinstance(result, FeedbackKept)]
    telemetry.count("Feedback", len(kept))
    telemetry.count("FeedbackRepeated", sum(result.status == "known" for result in kept))
    return FeedbackBatchResponse(results=results)


def _predicted(
    request: Request, feedback: Sequence[FeedbackRequest]
) -> Sequence[NamedCategory | None]:
    """Return the model's prediction for each piece of feedback that needs it, else None.

    If the model cannot be asked, the feedback is recorded without.
    """
    predictor: Predictor | None = request.app.state.predictor
    unclear = [item for item in feedback if item.may_disagree()]
    if predictor is None or not unclear:
        return [None] * len(feedback)
    try:
        predicted = iter(predictor([item.checked_product() for item in unclear]))
    except AisleError:
        _log.exception("The model could not be asked; the predicted category stays unknown.")
        return [None] * len(feedback)
    return [next(predicted) if item.may_disagree() else None for item in feedback]


def _check(item: Any) -> FeedbackRequest | FeedbackFailed:  # noqa: ANN401  # whatever was sent
    try:
        feedback = FeedbackRequest.model_validate(item)
        feedback.checked_product()
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False), whole="feedback")
        return _failed(ErrorAnswer(INVALID_INPUT, summary(errors), errors))
    except InvalidProductError as error:
        return _failed(answer(error))
    return feedback


def _keep(store: Store, event: FeedbackEvent) -> FeedbackKept | FeedbackFailed:
    try:
        recorded = record_feedback(store, event)
    except StoreError as error:
        _log.exception("One piece of feedback in a batch could not be stored.")
        return _failed(answer(error))
    return FeedbackKept(status=_status(recorded), id=recorded.feedback_id)


def _failed(error: ErrorAnswer) -> FeedbackFailed:
    return FeedbackFailed(
        status="failed",
        problem=FeedbackProblem(
            type=error.kind.type,
            title=error.kind.title,
            status=error.kind.status,
            detail=error.detail,
            errors=list(error.errors),
        ),
    )


def _status(recorded: Recorded) -> Status:
    return "recorded" if recorded.new else "known"
