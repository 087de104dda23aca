"""Feedback as it is kept: one object an event, written once, never read here."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aisle.access import scopes
from aisle.errors import PreconditionFailedError
from aisle.serving.feedback.schemas import FeedbackRequest
from aisle.store import Store, layout

EVENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an event: its id, and whether it was new."""

    feedback_id: str
    new: bool


def record_feedback(
    store: Store, request: FeedbackRequest, *, client: str, now: datetime
) -> Recorded:
    """Keep an event, unless the same was kept already that day (UTC).

    The same is what the same client says of the same product, word for word: a retry finds its own
    object and changes nothing. Nothing is read: the condition on the write does it all. What the
    page's visitors say is held for a review: nobody knows who they are.
    """
    said = {"client": client, **_said(request)}
    digest = hashlib.sha256(_canonical(said)).hexdigest()
    received = now.astimezone(UTC)
    event = {
        "version": EVENT_VERSION,
        "received": received.isoformat(timespec="milliseconds"),
        "held_for_review": client == scopes.SITE,
        **said,
    }
    try:
        store.put(
            layout.feedback_event(received.date(), digest),
            _canonical(event) + b"\n",
            if_absent=True,
        )
    except PreconditionFailedError:
        return Recorded(digest, new=False)
    return Recorded(digest, new=True)


def _said(request: FeedbackRequest) -> dict[str, Any]:
    """Return what was said, the same however it was written down: nulls count as absent."""
    return request.model_dump(mode="json", exclude_none=True)


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
