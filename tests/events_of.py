"""Feedback events as the feedback function keeps them, and as it kept them before."""

import json
from datetime import UTC, datetime, timedelta

from aisle.access import scopes
from aisle.feedback.event import record_feedback
from aisle.serving.feedback.schemas import FeedbackRequest
from aisle.store import Store, layout

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def say(store: Store, product, category=None, *, client="shop", at=0, **more) -> str:
    """Keep what a client says of a product, `at` seconds after noon; return the event's id."""
    told = {"product": product if isinstance(product, dict) else {"name": product}, **more}
    if category is not None:
        told["category"] = category if isinstance(category, dict) else {"path": list(category)}
    request = FeedbackRequest.model_validate(told)
    event = request.event(client=client, now=NOON + timedelta(seconds=at))
    return record_feedback(store, event).feedback_id


def visitor(store: Store, product, category, **more) -> str:
    """Keep what somebody says whom nobody knows."""
    return say(store, product, category, client=scopes.SITE, **more)


def put(store: Store, own: str, content: object) -> str:
    """Put an object among the events under an id, whatever it is; return its name."""
    name = layout.feedback_event(NOON.date(), own)
    store.put(name, content if isinstance(content, bytes) else json.dumps(content).encode())
    return name


def corrections(store: Store, count: int) -> list[str]:
    """Keep corrections of so many products, said just now; what was predicted is unknown."""
    now = datetime.now(UTC)
    requests = [
        FeedbackRequest.model_validate({"product": {"name": f"tv {at}"}, "category": {"id": "x"}})
        for at in range(count)
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
"""An event as it was kept before there was another version."""
