"""Feedback that waits for a person, and what people decide of it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from aisle.errors import DataError, ObjectNotFoundError, PreconditionFailedError
from aisle.registry import audit
from aisle.store import Store, layout
from aisle_training.data.ingest import FEEDBACK_REPORT
from aisle_training.data.said import Event, read_events

ReviewDecision = Literal["accepted", "rejected"]
_LEAST_DIGITS: Final = 6
_WAITING: Final = frozenset({"held", "quarantined"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is not learnt from until a person decides, and why."""

    id: str
    state: str
    why: str
    client: str
    received: str
    product: dict[str, Any]
    category: str
    note: str | None


def waiting(store: Store) -> list[Waiting]:
    """Return the events that wait for a person, the oldest first.

    Those that the last ingestion held or quarantined, and those of people whom nobody knows.
    """
    report = _last_report(store)
    events, _ = read_events(store)
    found = []
    for event in events:
        state, why = _state(event, report)
        if event.review is None and state in _WAITING:
            category = _category(event.content.get("category"))
            found.append(
                Waiting(
                    event.id,
                    state,
                    why,
                    event.client,
                    event.received,
                    event.content["product"],
                    report.get(event.id, {}).get("category") or category,
                    event.content.get("note"),
                )
            )
    return found


def decide(
    store: Store, ids: Iterable[str], decision: ReviewDecision, *, note: str | None
) -> list[str]:
    """Keep what a person decided of events, each named by its id or the beginning of it.

    Returns the whole ids. Raises DataError where there is no such event, or another decision; then
    nothing is kept.
    """
    events, _ = read_events(store)
    chosen = [_find(events, one) for one in ids]
    for event in chosen:
        if event.review not in {None, decision}:
            raise DataError(
                f"Event {event.id} was {event.review} before, and a decision stays. Expected one "
                "that waits; aisle feedback review list shows them. The feedback may be sent again."
            )
    for event in chosen:
        told = {
            "event": event.id,
            "decision": decision,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": audit.user(),
            "note": note,
        }
        data = json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"
        try:
            store.put(layout.review(event.id), data, if_absent=True)
        except PreconditionFailedError:
            continue  # the same, or somebody was faster: theirs stays
    return [event.id for event in chosen]


def _find(events: Iterable[Event], start: str) -> Event:
    found = [event for event in events if event.id.startswith(start)]
    if len(found) != 1 or len(start) < _LEAST_DIGITS:
        raise DataError(
            f"{len(found)} feedback events have an id that begins with {start!r}. Expected one, "
            f"and {_LEAST_DIGITS} digits at least. See aisle feedback review list."
        )
    return found[0]


def _state(event: Event, report: dict[str, dict[str, Any]]) -> tuple[str, str]:
    if event.id in report:
        return report[event.id]["state"], report[event.id]["why"]
    return ("held", "nobody knows who said it") if event.anonymous else ("new", "")


def _last_report(store: Store) -> dict[str, dict[str, Any]]:
    """Return what the last ingestion of feedback made of each event, by id."""
    try:
        snapshot = json.loads(store.get(layout.processed_feedback()).data)["snapshot"]
        report = json.loads(store.get(layout.base_snapshot(snapshot, FEEDBACK_REPORT)).data)
    except (ObjectNotFoundError, KeyError, ValueError):
        return {}
    return {one["id"]: one for one in report["events"]}


def _category(category: dict[str, Any] | None) -> str:
    if category is None:
        return "as it was predicted"
    return " > ".join(_names(category)) or str(category.get("id"))


def _names(category: dict[str, Any]) -> Iterator[str]:
    yield from category.get("path") or ()
