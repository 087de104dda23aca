"""What the last training has seen of the feedback: models/processed.json, written and read here."""

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
"""The file of a snapshot that tells what became of each event when it was made."""


@dataclass(frozen=True, slots=True)
class Processed:
    """What the last training has seen: the ids of the events, and how many came to which state.

    `run` and `why` are those of the training, `snapshot` is what it made of the events; later
    events are new. All is empty where there was no training yet.
    """

    run: str | None = None
    at: datetime | None = None
    why: str = ""
    snapshot: str | None = None
    events: frozenset[str] = frozenset()
    states: Mapping[str, Annotated[int, Field(ge=0)]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How many wait for a person."""
        return self.states.get("held", 0)

    @property
    def quarantined(self) -> int:
        """How many look wrong."""
        return self.states.get("quarantined", 0)


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one event when a snapshot was made, why, and which category it names."""

    id: str
    state: str
    why: str = ""
    category: str | None = None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the events when a snapshot was made.

    `agreeing` are the ids of those learnt from that agreed with the champion of that time.
    """

    events: tuple[Ingested, ...] = ()
    agreeing: frozenset[str] = frozenset()


_PROCESSED: Final = TypeAdapter(Processed)
_REPORT: Final = TypeAdapter(IngestReport)


def write_processed(store: Store, processed: Processed) -> None:
    """Write what a training has seen in place of what the one before had."""
    told = {
        "run": processed.run,
        "at": processed.at.isoformat(timespec="seconds") if processed.at else None,
        "why": processed.why,
        "snapshot": processed.snapshot,
        "events": sorted(processed.events),
        "held": processed.held,
        "quarantined": processed.quarantined,
        "states": dict(processed.states),
    }
    data = json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"
    store.put(layout.processed_feedback(), data)


def read_processed(store: Store) -> Processed:
    """Return what the last training has seen; nothing where there was none, or it cannot be read.

    Then every event is new, which at worst costs a training too many.
    """
    try:
        found = parse_json(store.get(layout.processed_feedback()).data)
        counts = {name: found[name] for name in ("held", "quarantined") if name in found}
        at = read_time(found["at"]) if found.get("at") else None
        facts = found | {"at": at, "states": counts | found.get("states", {})}
        return _PROCESSED.validate_python(facts)
    except (AttributeError, ObjectNotFoundError, TypeError, ValueError):
        return Processed()


def last_report(store: Store) -> dict[str, Ingested]:
    """Return what the last training made of each event, by id; empty where there was none.

    Raises MalformedObjectError as `read_report` does.
    """
    snapshot = read_processed(store).snapshot
    events = read_report(store, snapshot).events if snapshot else ()
    return {each.id: each for each in events}


def read_report(store: Store, snapshot: str) -> IngestReport:
    """Return what became of the events when a snapshot was made; empty where nothing says it.

    Raises MalformedObjectError, which names the report, where it is nonsense.
    """
    key = layout.base_snapshot(snapshot, REPORT)
    try:
        return parse(key, store.get(key).data, _REPORT)
    except ObjectNotFoundError:
        return IngestReport()
