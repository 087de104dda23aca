"""What the last training has seen of the feedback: models/processed.json, written and read here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aisle.errors import ObjectNotFoundError
from aisle.feedback.event import read_time
from aisle.store import Store, layout

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
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How many wait for a person."""
        return self.states.get("held", 0)

    @property
    def quarantined(self) -> int:
        """How many look wrong."""
        return self.states.get("quarantined", 0)


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
        found = json.loads(store.get(layout.processed_feedback()).data)
        counts = {name: found[name] for name in ("held", "quarantined") if name in found}
        states = counts | found.get("states", {})
        return Processed(
            run=found.get("run"),
            at=read_time(found["at"]) if found.get("at") else None,
            why=found.get("why", ""),
            snapshot=found.get("snapshot"),
            events=frozenset(map(str, found.get("events", ()))),
            states={str(state): int(count) for state, count in states.items()},
        )
    except (AttributeError, ObjectNotFoundError, OverflowError, TypeError, ValueError):
        return Processed()


def last_report(store: Store) -> dict[str, dict[str, Any]]:
    """Return what the last training made of each event, by id: state, why, and what it says.

    Empty where there was none.
    """
    snapshot = read_processed(store).snapshot
    try:
        events = read_report(store, snapshot)["events"] if snapshot else []
        return {each["id"]: each for each in events}
    except (KeyError, TypeError):
        return {}


def read_report(store: Store, snapshot: str) -> dict[str, Any]:
    """Return what became of the events when a snapshot was made; empty where nothing says it."""
    try:
        report = json.loads(store.get(layout.base_snapshot(snapshot, REPORT)).data)
    except (ObjectNotFoundError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
