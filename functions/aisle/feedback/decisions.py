"""What people decided of feedback events: one object an event, written once, and read back here."""

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
    """Keep what a person, whoever is at work here, decided of an event; the first decision stays.

    `event` is the whole id.
    """
    told = {
        "event": event,
        "decision": decision,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": audit.user(),
        "note": note,
    }
    data = json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"
    try:
        store.put(layout.review(event), data, if_absent=True)
    except PreconditionFailedError:
        return  # the same, or somebody was faster: theirs stays


def read_decisions(store: Store) -> dict[str, ReviewDecision]:
    """Return what was decided, by the id of the event; raise DataError for what is no decision."""
    names = list(store.list(layout.reviews_prefix()))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        contents = [found.data for found in pool.map(store.get, names)]
    return dict(_parse(name, data) for name, data in zip(names, contents, strict=True))


def _parse(name: str, data: bytes) -> tuple[str, ReviewDecision]:
    try:
        told = parse_json(data)
        event, decision = str(told["event"]), told["decision"]
        if decision in get_args(ReviewDecision):
            return event, decision
        why = f"its decision is {decision!r}"
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = repr(error)
    raise DataError(
        f"{name} cannot be used: {why}. Expected was a decision as aisle feedback review writes "
        "it. Delete it, and decide of the event anew."
    )
