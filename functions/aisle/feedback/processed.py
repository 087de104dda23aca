"""Which feedback the last training has seen: models/processed.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from aisle.errors import ObjectNotFoundError
from aisle.feedback.event import read_time
from aisle.json_text import parse_json
from aisle.store import Store, layout
from aisle.store.typed import parse

REPORT: Final = "feedback.json"
"""The file of a snapshot that says what became of each event when it was made."""


@dataclass(frozen=True, slots=True)
class Processed:
    """The events that the last training has seen, and how many are in which state.

    `run` and `why` are the training job's id and reason, `snapshot` is the snapshot it made; all
    other events are new. All fields are empty before the first training.
    """

    run: str | None = None
    at: datetime | None = None
    why: str = ""
    snapshot: str | None = None
    events: frozenset[str] = frozenset()
    states: Mapping[str, Annotated[int, Field(ge=0)]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How many events wait for a person."""
        return self.states.get("held", 0)

    @property
    def quarantined(self) -> int:
        """How many events look wrong and wait for a person."""
        return self.states.get("quarantined", 0)


@dataclass(frozen=True, slots=True)
class Ingested:
    """The state of one event when a snapshot was made, the reason, and the category it names."""

    id: str
    state: str
    why: str = ""
    category: str | None = None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The state of all events when a snapshot was made.

    `agreeing` has the ids of the accepted events that agreed with the champion at that time.
    """

    events: tuple[Ingested, ...] = ()
    agreeing: frozenset[str] = frozenset()


_PROCESSED: Final = TypeAdapter(Processed)
_REPORT: Final = TypeAdapter(IngestReport)


def write_processed(store: Store, processed: Processed) -> None:
    """Write which events a training has seen, replacing what the last one wrote."""
    content = {
        "run": processed.run,
        "at": processed.at.isoformat(timespec="seconds") if processed.at else None,
        "why": processed.why,
        "snapshot": processed.snapshot,
        "events": sorted(processed.events),
        "held": processed.held,
        "quarantined": processed.quarantined,
        "states": dict(processed.states),
    }
    data = json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"
    store.put(layout.processed_feedback(), data)


def read_processed(store: Store) -> Processed:
    """Return which events the last training has seen; none if the object is absent or malformed.

    Then every event counts as new, which at worst costs one unnecessary training.
    """
    try:
        stored = parse_json(store.get(layout.processed_feedback()).data)
        counts = {name: stored[name] for name in ("held", "quarantined") if name in stored}
        at = read_time(stored["at"]) if stored.get("at") else None
        facts = stored | {"at": at, "states": counts | stored.get("states", {})}
        return _PROCESSED.validate_python(facts)
    except (AttributeError, ObjectNotFoundError, TypeError, ValueError):
        return Processed()


def last_report(store: Store) -> dict[str, Ingested]:
    """Return the state of each event after the last training, by id; empty if there was none.

    Raises MalformedObjectError as `read_report` does.
    """
    snapshot = read_processed(store).snapshot
    events = read_report(store, snapshot).events if snapshot else ()
    return {event.id: event for event in events}


def read_report(store: Store, snapshot: str) -> IngestReport:
    """Return a snapshot's report on the events; empty if it has none.

    Raises MalformedObjectError, which names the report, if it is malformed.
    """
    key = layout.base_snapshot(snapshot, REPORT)
    try:
        return parse(key, store.get(key).data, _REPORT)
    except ObjectNotFoundError:
        return IngestReport()
