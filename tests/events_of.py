"""Feedback events as the feedback function stores them, in this version and the first."""

import json
from datetime import UTC, datetime, timedelta

from aisle.access import scopes
from aisle.feedback.event import record_feedback
from aisle.serving.feedback.schemas import FeedbackRequest
from aisle.store import Store, layout

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def say(store: Store, product, category=None, *, client="shop", at=0, **more) -> str:
    """Record a client's feedback on a product, `at` seconds after noon; return the event's id."""
    fields = {"product": product if isinstance(product, dict) else {"name": product}, **more}
    if category is not None:
        fields["category"] = category if isinstance(category, dict) else {"path": list(category)}
    request = FeedbackRequest.model_validate(fields)
    event = request.event(client=client, now=NOON + timedelta(seconds=at))
    return record_feedback(store, event).feedback_id


def visitor(store: Store, product, category, **more) -> str:
    """Record the feedback of an anonymous visitor of the page."""
    return say(store, product, category, client=scopes.SITE, **more)


def put(store: Store, event_id: str, content: object) -> str:
    """Store any content as the event with this id; return the object's name."""
    name = layout.feedback_event(NOON.date(), event_id)
    store.put(name, content if isinstance(content, bytes) else json.dumps(content).encode())
    return name


def corrections(store: Store, count: int) -> list[str]:
    """Record corrections of `count` products, sent now, without a prediction; return their ids."""
    now = datetime.now(UTC)
    requests = [
        FeedbackRequest.model_validate(
            {"product": {"name": f"tv {number}"}, "category": {"id": "x"}}
        )
        for number in range(count)
    ]
    events = [request.event(client="shop", now=now) for request in requests]
    return [record_feedback(store, event).feedback_id for event in events]


VERSION_1 = {
    "version": 1,
    "received": "2026-11-22T12:00:00.000+00:00",
    "held_for_review": False,
    "client": "shop",
    "product": {"name": "GoPro - Camera Mount Kit", "price": 12.0},
    "category": {"id": "abcat0410022"},
    "right": False,
}
"""An event in the first version of the format."""
