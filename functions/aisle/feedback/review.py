"""Feedback that waits for a person, and what people decide of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aisle.errors import DataError
from aisle.feedback.decisions import ReviewDecision, write_decision
from aisle.feedback.event import FeedbackEvent, NamedCategory, product_fields, read_events
from aisle.feedback.processed import Ingested, last_report
from aisle.product import PATH_SEPARATOR
from aisle.store import Store

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
    report = last_report(store)
    events, _ = read_events(store)
    found = []
    for event in events:
        told = report.get(event.id) or _unseen(event)
        if event.review is None and told.state in _WAITING:
            found.append(
                Waiting(
                    event.id,
                    told.state,
                    told.why,
                    event.client,
                    event.received.isoformat(timespec="milliseconds"),
                    product_fields(event.product),
                    told.category or _category(event.category or event.predicted),
                    event.note,
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
    chosen = [_find(events, start) for start in ids]
    for event in chosen:
        if event.review not in {None, decision}:
            raise DataError(
                f"Event {event.id} was {event.review} before, and a decision stays. Expected one "
                "that waits; aisle feedback review list shows them. The feedback may be sent again."
            )
    for event in chosen:
        write_decision(store, event.id, decision, note=note)
    return [event.id for event in chosen]


def _find(events: Iterable[FeedbackEvent], start: str) -> FeedbackEvent:
    found = [event for event in events if event.id.startswith(start)]
    if len(found) != 1 or len(start) < _LEAST_DIGITS:
        raise DataError(
            f"{len(found)} feedback events have an id that begins with {start!r}. Expected one, "
            f"and {_LEAST_DIGITS} digits at least. See aisle feedback review list."
        )
    return found[0]


def _unseen(event: FeedbackEvent) -> Ingested:
    """Return what is to be said of an event that no training has seen."""
    if event.anonymous:
        return Ingested(event.id, "held", "nobody knows who said it")
    return Ingested(event.id, "new")


def _category(category: NamedCategory | None) -> str:
    if category is None:
        return "as it was predicted"
    return PATH_SEPARATOR.join(category.path or ()) or str(category.id)
