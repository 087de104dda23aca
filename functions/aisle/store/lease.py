"""The training lease: an object with an expiry time that admits one training job at a time.

The holder renews the lease while it works. Another job may take over an expired lease, so a machine
that was switched off blocks training only briefly. Every write is conditional: of several
concurrent attempts, one succeeds.
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
"""How long a submitted job has to begin: a machine may have to be started first."""

RUNNING: Final = timedelta(minutes=2)
"""How long a lease lasts while a running job renews it."""

_RENEW_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The content of the lease: who holds it, for which training job, and until when."""

    holder: str
    run: str
    taken_at: AwareDatetime
    expires_at: AwareDatetime

    def holds(self, now: datetime) -> bool:
        """Tell whether the lease is still valid, so that no other job may train."""
        return now < self.expires_at


_LEASE: Final = TypeAdapter(Lease)


def read(store: Store) -> tuple[Lease | None, str | None]:
    """Return the lease and its ETag; a malformed lease is logged and counts as none."""
    try:
        stored = store.get(layout.training_lock())
    except ObjectNotFoundError:
        return None, None
    try:
        return parse(layout.training_lock(), stored.data, _LEASE, advice=REPLACED), stored.etag
    except MalformedObjectError as error:
        _log.warning("The training lease is malformed, so nobody holds it. %s", error)
        return None, stored.etag


def take(
    store: Store, run: str, holder: str, *, now: datetime, lasting: timedelta = START
) -> Lease | None:
    """Take the lease for a job, which may hold it already; return None if another job holds it."""
    known, etag = read(store)
    if known is not None and known.holds(now) and known.run != run:
        return None
    began = known.taken_at if known is not None and known.run == run else now
    lease = Lease(holder, run, began, now + lasting)
    return lease if _write(store, lease, etag) else None


def renew(store: Store, run: str, *, now: datetime, lasting: timedelta = RUNNING) -> bool:
    """Extend a job's lease; return whether the job still held it."""
    known, etag = read(store)
    if known is None or known.run != run:
        return False
    return _write(store, replace(known, expires_at=now + lasting), etag)


def release(store: Store, run: str, *, now: datetime) -> None:
    """End a job's lease, unless another job has taken it over."""
    known, etag = read(store)
    if known is not None and known.run == run:
        _write(store, replace(known, expires_at=now), etag)


@contextmanager
def kept(
    store: Store, run: str, *, every: float = _RENEW_SECONDS, now: Callable[[], datetime]
) -> Iterator[None]:
    """Renew a job's lease in the background during the block, and release it afterwards."""
    done = Event()

    def renewing() -> None:
        while not done.wait(every):
            try:
                if not renew(store, run, now=now()):
                    _log.warning("Another job has taken over the lease of job %s.", run)
                    return
            except StoreError as error:  # there are more attempts before it expires
                _log.warning("The lease of job %s could not be renewed. %s", run, error)

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
        # Another job was faster, or this write succeeded, its answer was lost and it was retried.
        return read(store)[0] == lease
    return True
