"""Feedback events as the feedback function keeps them."""

from datetime import UTC, datetime, timedelta

from aisle.access import scopes
from aisle.feedback.event import record_feedback
from aisle.serving.feedback.schemas import FeedbackRequest
from aisle.store import Store

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def say(store: Store, product, category=None, *, client="shop", at=0, **more) -> str:
    """Keep what a client says of a product, `at` seconds after noon; return the event's id."""
    told = {"product": product if isinstance(product, dict) else {"name": product}, **more}
    if category is not None:
        told["category"] = category if isinstance(category, dict) else {"path": list(category)}
    request = FeedbackRequest.model_validate(told)
    moment = NOON + timedelta(seconds=at)
    return record_feedback(store, request, client=client, now=moment).feedback_id


def visitor(store: Store, product, category, **more) -> str:
    """Keep what somebody says whom nobody knows."""
    return say(store, product, category, client=scopes.SITE, **more)
