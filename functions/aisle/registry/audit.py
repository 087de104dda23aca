"""Audit records: which model was promoted, refused or rolled back, by whom and why."""

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
    """A model was promoted, refused or rolled back to. `at` is ISO 8601, UTC.

    `previous` is the version that served at that time; None means the packaged model.
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
    """Who decides, why, and in which training job, if any."""

    who: str
    why: str
    run: str | None = None


def write(
    store: Store, event: AuditEvent, version: str, occasion: Occasion, *, previous: str | None
) -> str:
    """Write a record and return its key; the call is idempotent within a training job.

    It also reuses the latest record if that is the same promotion: whoever wrote it was killed
    before the pointer changed.
    """
    records = list(_all(store))
    for key, entry in records:
        same = (entry.event, entry.version, entry.previous) == (event, version, previous)
        same_job = occasion.run is not None and entry.run == occasion.run
        if same and (same_job or (event == "promoted" and key == records[-1][0])):
            return key
    now = datetime.now(UTC)
    record = AuditEntry(now.isoformat(), event, version, previous, **asdict(occasion))
    key = layout.audit_record(now, version)
    store.put(key, json.dumps(asdict(record), indent=2).encode() + b"\n", if_absent=True)
    return key


def history(store: Store) -> list[AuditEntry]:
    """Return all records, oldest first; raise MalformedObjectError for a malformed one."""
    return [record for _, record in _all(store)]


def read(store: Store, key: str) -> AuditEntry:
    """Return the record at this key; raise MalformedObjectError if it is malformed."""
    return parse(key, store.get(key).data, _ENTRY)


def user() -> str:
    """Return the name of the operating system's current user, or "unknown"."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _all(store: Store) -> Iterator[tuple[str, AuditEntry]]:
    for key in store.list(layout.audit_prefix()):
        yield key, read(store, key)
