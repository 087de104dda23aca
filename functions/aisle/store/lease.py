"""Who may train: one at a time, by an object that says until when.

Whoever holds the lease renews it while the work goes on; one that was not renewed may be taken
over, so that a machine that was switched off holds nobody up for long. Every write is conditional:
of several that try at once, one succeeds.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from aisle.errors import (
    MalformedObjectError,
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreError,
)
from aisle.store import Store, layout
from aisle.store.typed import REPLACED, parse

START: Final = timedelta(hours=1)
"""How long whoever was asked to train has to begin: a machine may have to be found first."""

RUNNING: Final = timedelta(minutes=2)
"""How long a lease lasts that is renewed by who trains."""

_RENEW_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """What the lock says: who trains, on which run, and until when nobody else may."""

    holder: str
    run: str
    taken_at: AwareDatetime
    expires_at: AwareDatetime

    def holds(self, now: datetime) -> bool:
        """Tell whether nobody else may train now."""
        return now < self.expires_at


_LEASE: Final = TypeAdapter(Lease)


def read(store: Store) -> tuple[Lease | None, str | None]:
    """Return the lease and its ETag; one that is malformed counts as none, and the log says so."""
    try:
        found = store.get(layout.training_lock())
    except ObjectNotFoundError:
        return None, None
    try:
        return parse(layout.training_lock(), found.data, _LEASE, advice=REPLACED), found.etag
    except MalformedObjectError as error:
        _log.warning("Nobody holds the lease. %s", error)
        return None, found.etag


def take(
    store: Store, run: str, holder: str, *, now: datetime, lasting: timedelta = START
) -> Lease | None:
    """Take the lease for a run, or take it over where the run has it; None where another has it."""
    known, etag = read(store)
    if known is not None and known.holds(now) and known.run != run:
        return None
    began = known.taken_at if known is not None and known.run == run else now
    mine = Lease(holder, run, began, now + lasting)
    return mine if _write(store, mine, etag) else None


def renew(store: Store, run: str, *, now: datetime, lasting: timedelta = RUNNING) -> bool:
    """Make the lease of a run last longer; tell whether it was still the run's to renew."""
    known, etag = read(store)
    if known is None or known.run != run:
        return False
    return _write(store, replace(known, expires_at=now + lasting), etag)


def release(store: Store, run: str, *, now: datetime) -> None:
    """End the lease of a run, unless another has it since."""
    known, etag = read(store)
    if known is not None and known.run == run:
        _write(store, replace(known, expires_at=now), etag)


@contextmanager
def kept(
    store: Store, run: str, *, every: float = _RENEW_SECONDS, now: Callable[[], datetime]
) -> Iterator[None]:
    """Renew the lease of a run while the block lasts, and end it afterwards, however it ends."""
    done = Event()

    def renewing() -> None:
        while not done.wait(every):
            try:
                if not renew(store, run, now=now()):
                    _log.warning("Another run has taken over the lease of run %s.", run)
                    return
            except StoreError as error:  # there are more attempts before it runs out
                _log.warning("The lease of run %s could not be renewed. %s", run, error)

    renew(store, run, now=now())
    thread = Thread(target=renewing, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        release(store, run, now=now())


def _write(store: Store, lease: Lease, etag: str | None) -> bool:
    times = {"taken_at": lease.taken_at, "expires_at": lease.expires_at}
    facts = asdict(lease) | {name: time.isoformat() for name, time in times.items()}
    data = json.dumps(facts, sort_keys=True).encode()
    try:
        store.put(layout.training_lock(), data, if_absent=etag is None, if_match=etag)
    except PreconditionFailedError:
        # Another was faster, or the answer to this very write was lost and its retry met it.
        return read(store)[0] == lease
    return True
