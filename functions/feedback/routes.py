"""The route that takes feedback."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Depends, Request, Response, status

from api.access import ClientDep, Requires
from api.body import JsonRoute
from api.problems import OF_A_JSON_BODY, documented
from api.telemetry import TelemetryDep
from feedback.recording import record_feedback
from feedback.schemas import FeedbackRequest, FeedbackResponse

TAG: Final = "feedback"

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
    if found.new:
        return FeedbackResponse(feedback_id=found.feedback_id, status="recorded")
    response.status_code = status.HTTP_200_OK
    return FeedbackResponse(feedback_id=found.feedback_id, status="known")
