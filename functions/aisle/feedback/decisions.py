"""Review decisions on feedback events: one object per event, written once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final, Literal, get_args

from aisle.errors import DataError, PreconditionFailedError
from aisle.json_text import parse_json
from aisle.registry import audit
from aisle.store import Store, layout

ReviewDecision = Literal["accepted", "rejected"]

_AT_ONCE: Final = 16


def write_decision(store: Store, event: str, decision: ReviewDecision, *, note: str | None) -> None:
    """Store the current user's decision on an event; the first decision stays.

    `event` is the full id.
    """
    record = {
        "event": event,
        "decision": decision,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": audit.user(),
        "note": note,
    }
    data = json.dumps(record, indent=2, sort_keys=True).encode() + b"\n"
    try:
        store.put(layout.review(event), data, if_absent=True)
    except PreconditionFailedError:
        return  # there is a decision already, and it stays


def read_decisions(store: Store) -> dict[str, ReviewDecision]:
    """Return the decisions by event id; raise DataError for an object that is not a decision."""
    names = list(store.list(layout.reviews_prefix()))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        contents = [stored.data for stored in pool.map(store.get, names)]
    return dict(_parse(name, data) for name, data in zip(names, contents, strict=True))


def _parse(name: str, data: bytes) -> tuple[str, ReviewDecision]:
    try:
        record = parse_json(data)
        event, decision = str(record["event"]), record["decision"]
        if decision in get_args(ReviewDecision):
            return event, decision
        why = f"its decision is {decision!r}"
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = repr(error)
    raise DataError(
        f"{name} cannot be used: {why}. Expected a decision as aisle feedback review writes it. "
        "Delete it and review the event again."
    )
