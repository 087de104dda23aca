"""Review of feedback: the events that wait for a person, and their decisions."""

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
    """An event that training does not use until a person accepts it, and the reason."""

    id: str
    state: str
    why: str
    client: str
    received: str
    product: dict[str, Any]
    category: str
    note: str | None


def waiting(store: Store) -> list[Waiting]:
    """Return the events that wait for a person, oldest first.

    These are the events that the last training held or quarantined, and those it has not seen
    whose sender is anonymous.
    """
    report = last_report(store)
    events, _ = read_events(store)
    pending = []
    for event in events:
        ingested = report.get(event.id) or _unseen(event)
        if event.review is None and ingested.state in _WAITING:
            pending.append(
                Waiting(
                    event.id,
                    ingested.state,
                    ingested.why,
                    event.client,
                    event.received.isoformat(timespec="milliseconds"),
                    product_fields(event.product),
                    ingested.category or _category(event.category or event.predicted),
                    event.note,
                )
            )
    return pending


def decide(
    store: Store, ids: Iterable[str], decision: ReviewDecision, *, note: str | None
) -> list[str]:
    """Store a person's decision on events; `ids` may be abbreviated.

    Returns the full ids. Raises DataError if an event does not exist or already has another
    decision; then nothing is stored.
    """
    events, _ = read_events(store)
    chosen = [_find(events, prefix) for prefix in ids]
    for event in chosen:
        if event.review not in {None, decision}:
            raise DataError(
                f"Event {event.id} was {event.review} before, and decisions are final. Expected an "
                "event that aisle feedback review list shows. Send the feedback again if needed."
            )
    for event in chosen:
        write_decision(store, event.id, decision, note=note)
    return [event.id for event in chosen]


def _find(events: Iterable[FeedbackEvent], prefix: str) -> FeedbackEvent:
    matches = [event for event in events if event.id.startswith(prefix)]
    if len(matches) != 1 or len(prefix) < _LEAST_DIGITS:
        raise DataError(
            f"{len(matches)} feedback events have an id that begins with {prefix!r}. Expected "
            f"exactly one, and at least {_LEAST_DIGITS} digits. See aisle feedback review list."
        )
    return matches[0]


def _unseen(event: FeedbackEvent) -> Ingested:
    """Return the state of an event that no training has seen."""
    if event.anonymous:
        return Ingested(event.id, "held", "the sender is anonymous")
    return Ingested(event.id, "new")


def _category(category: NamedCategory | None) -> str:
    if category is None:
        return "as predicted"
    return PATH_SEPARATOR.join(category.path or ()) or str(category.id)
