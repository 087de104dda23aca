"""Where API keys are stored: in an object in the store, or in an environment variable."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from aisle.access import api_keys
from aisle.access.api_keys import ApiKeys
from aisle.errors import AisleError, ObjectNotFoundError, PreconditionFailedError, StoreError
from aisle.store import FolderStore, Store, layout

VARIABLE: Final = "AISLE_KEYS"
"""The environment variable that may hold the records (never keys) instead of the store."""

_FRESH_SECONDS: Final = 60
_EMPTY_SECONDS: Final = 1  # the first key should work as soon as it is made
_EDIT_ATTEMPTS: Final = 10

_log = logging.getLogger(__name__)


class KeyRing:
    """Cache the API keys, and read them again once they are a minute old.

    One request reads them; concurrent requests use the cached ones. If reading fails, the cached
    keys stay valid until they expire, and the error is logged. The clock returns seconds; it is
    wall-clock time, because a frozen Lambda function's monotonic clock stops.
    """

    def __init__(
        self, load: Callable[[], ApiKeys], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._load = load
        self._clock = clock
        self._turn = Lock()
        self._known: ApiKeys | None = None
        self._stale_at = 0.0

    def __call__(self) -> ApiKeys:
        """Return the keys; raise AisleError if they have never been read."""
        if self._known is None:
            with self._turn:
                return self._read()
        if self._clock() >= self._stale_at and self._turn.acquire(blocking=False):
            try:
                return self._read()
            finally:
                self._turn.release()
        return self._known

    def _read(self) -> ApiKeys:
        now = self._clock()
        if self._known is None or now >= self._stale_at:
            try:
                self._known = self._load()
            except AisleError as error:
                if self._known is None:
                    raise
                _log.error("The API keys could not be read again. %s", error)  # it names the cause
            self._stale_at = now + (_FRESH_SECONDS if self._known else _EMPTY_SECONDS)
        return self._known


def keyring(
    variable: str, store: Callable[[], Store], *, clock: Callable[[], float] = time.time
) -> KeyRing:
    """Return a key ring of the variable's keys if it has any, else of the store's."""
    if variable.strip():
        return KeyRing(lambda: api_keys.parse(variable), clock=clock)
    return KeyRing(lambda: _load(store()), clock=clock)


def read(store: Store) -> tuple[ApiKeys, str | None]:
    """Return the store's keys and the ETag of their object: `()` and None if there is none."""
    try:
        stored = store.get(layout.api_keys())
    except ObjectNotFoundError:
        return (), None
    return api_keys.parse(stored.data), stored.etag


def edit(store: Store, change: Callable[[ApiKeys], ApiKeys]) -> None:
    """Change the store's keys; safe while others change them at the same time."""
    for _ in range(_EDIT_ATTEMPTS):
        keys, etag = read(store)
        data = api_keys.dump(change(keys))
        try:
            store.put(layout.api_keys(), data, if_absent=etag is None, if_match=etag)
        except PreconditionFailedError:
            continue
        return
    raise StoreError(
        f"The API keys in {store.url} were not changed: somebody else changed them during each of "
        f"{_EDIT_ATTEMPTS} attempts. Try again."
    )


def _load(store: Store) -> ApiKeys:
    try:
        return api_keys.parse(store.get(layout.api_keys()).data)
    except ObjectNotFoundError as error:
        # In a folder there really are none; S3 answers the same if the role may not read them.
        level = logging.INFO if isinstance(store, FolderStore) else logging.WARNING
        _log.log(level, "There are no API keys. %s", error)
        return ()
