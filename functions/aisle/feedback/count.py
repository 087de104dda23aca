"""What has come in of feedback since the last training run, counted as the trigger needs it."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aisle.errors import ObjectNotFoundError
from aisle.normalize import normalize
from aisle.product import Product
from aisle.store import Store, layout

_AT_ONCE: Final = 16

Key = tuple[str, str]
"""What makes a product the same as another: its name and description, normalised."""


def product_key(product: Product) -> Key:
    """Return what a product is known by, for the trigger and for learning alike.

    >>> product_key(Product("RED Sock", price=3.0))
    ('red sock', '')
    """
    return normalize(product.name), normalize(product.description)


@dataclass(frozen=True, slots=True)
class Event:
    """What the trigger has to know of one piece of feedback.

    One that is held waits for a person, and starts nothing.
    """

    product: Key
    right: bool
    held: bool
    received: datetime


@dataclass(frozen=True, slots=True)
class Processed:
    """What the last training run has seen, by the hashes of the events."""

    at: datetime | None = None
    events: frozenset[str] = frozenset()
    held: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """The feedback of a store in numbers; `new` are the products that were newly corrected.

    `held` wait for a person: those of the last training run, and those that came in since.
    """

    events: int = 0
    right: int = 0
    corrections: int = 0
    new: int = 0
    held: int = 0
    oldest: datetime | None = None
    processed: Processed = Processed()


@dataclass(frozen=True, slots=True)
class Counter:
    """Count the feedback of a store. An event never changes, so each is read once."""

    store: Store
    _known: dict[str, Event | None] = field(default_factory=dict)

    def __call__(self) -> Count:
        """Count what there is now."""
        processed = read_processed(self.store)
        names = [*self.store.list(layout.feedback_prefix())]
        unread = [name for name in names if name not in self._known]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._known.update(zip(unread, pool.map(self._read, unread), strict=True))
        events = {name: event for name in names if (event := self._known[name])}
        unseen = [event for name, event in events.items() if _hash(name) not in processed.events]
        since = [each for each in unseen if not processed.at or each.received > processed.at]
        new = [event for event in unseen if not event.right and not event.held]
        right = sum(event.right for event in events.values())
        return Count(
            events=len(events),
            right=right,
            corrections=len(events) - right,
            new=len({event.product for event in new}),
            held=processed.held + sum(event.held for event in since),
            oldest=min((event.received for event in new), default=None),
            processed=processed,
        )

    def _read(self, name: str) -> Event | None:
        """Read an event; None where it is none: whoever may write there may write anything."""
        try:
            found = json.loads(self.store.get(name).data)
            return Event(
                product=product_key(Product(**found["product"])),
                right=bool(found.get("right")),
                held=bool(found.get("held_for_review")),
                received=read_time(found["received"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, ObjectNotFoundError):
            return None


def read_processed(store: Store) -> Processed:
    """Return what the last training run has seen; nothing where there was none."""
    try:
        found = json.loads(store.get(layout.processed_feedback()).data)
        return Processed(
            at=read_time(found["at"]),
            events=frozenset(map(str, found["events"])),
            held=int(found.get("held", 0)),
            quarantined=int(found.get("quarantined", 0)),
        )
    except (AttributeError, KeyError, TypeError, ValueError, ObjectNotFoundError):
        return Processed()


def _hash(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".json")


def read_time(text: str) -> datetime:
    """Return a time in ISO 8601; one that does not say where is in UTC. May raise ValueError."""
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
