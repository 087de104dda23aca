"""What became of each model, who decided it, and why: records that are written once."""

import getpass
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import TypeAdapter

from aisle.store import Store, layout
from aisle.store.typed import parse

AuditEvent = Literal["promoted", "refused", "rolled back"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A model was made to serve, or refused. `at` is ISO 8601, UTC, `previous` what served then.

    Where `previous` is None, it was the packaged model.
    """

    at: str
    event: AuditEvent
    version: str
    previous: str | None = None
    who: str | None = None
    why: str | None = None
    run: str | None = None


_ENTRY: Final = TypeAdapter(AuditEntry)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Who decides, why, and in which training run, if it is one."""

    who: str
    why: str
    run: str | None = None


def write(
    store: Store, event: AuditEvent, version: str, occasion: Occasion, *, previous: str | None
) -> str:
    """Write a record and return its key; the same of the same run is there once.

    So is a promotion that was recorded last, and never came true: whoever made it was killed.
    """
    records = list(_all(store))
    for key, known in records:
        same = (known.event, known.version, known.previous) == (event, version, previous)
        mine = occasion.run is not None and known.run == occasion.run
        if same and (mine or (event == "promoted" and key == records[-1][0])):
            return key
    now = datetime.now(UTC)
    record = AuditEntry(now.isoformat(), event, version, previous, **asdict(occasion))
    key = layout.audit_record(now, version)
    store.put(key, json.dumps(asdict(record), indent=2).encode() + b"\n", if_absent=True)
    return key


def history(store: Store) -> list[AuditEntry]:
    """Return all records, the oldest first; raise MalformedObjectError for one that is none."""
    return [record for _, record in _all(store)]


def read(store: Store, key: str) -> AuditEntry:
    """Return the record with this key; raise MalformedObjectError where it is none."""
    return parse(key, store.get(key).data, _ENTRY)


def user() -> str:
    """Return who is at work here, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"


def _all(store: Store) -> Iterator[tuple[str, AuditEntry]]:
    for key in store.list(layout.audit_prefix()):
        yield key, read(store, key)
