"""Where API keys are kept: an object in the store, or a variable of the environment."""

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
"""The variable that may hold the records (never keys) instead of the store."""

_FRESH_SECONDS: Final = 60
_EMPTY_SECONDS: Final = 1  # whoever has just made the first key should not have to wait for it
_EDIT_ATTEMPTS: Final = 10

_log = logging.getLogger(__name__)


class KeyRing:
    """Give the keys that were read last, reading them anew when they are a minute old.

    One request reads them, others at the same time go on with those known. Where they cannot be
    read anew, those known stay good until they expire, and the log says why.
    The clock tells seconds; it is wall-clock time because a frozen function's other clocks stop.
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
        """Return the keys; raise AisleError where they were never read."""
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
                _log.error("The API keys could not be read anew. %s", error)  # with its cause
            self._stale_at = now + (_FRESH_SECONDS if self._known else _EMPTY_SECONDS)
        return self._known


def keyring(
    variable: str, store: Callable[[], Store], *, clock: Callable[[], float] = time.time
) -> KeyRing:
    """Return the ring of the variable's keys where it has some, else of the store's."""
    if variable.strip():
        return KeyRing(lambda: api_keys.parse(variable), clock=clock)
    return KeyRing(lambda: _load(store()), clock=clock)


def read(store: Store) -> tuple[ApiKeys, str | None]:
    """Return the store's keys and their ETag; neither where it has none."""
    try:
        found = store.get(layout.api_keys())
    except ObjectNotFoundError:
        return (), None
    return api_keys.parse(found.data), found.etag


def edit(store: Store, change: Callable[[ApiKeys], ApiKeys]) -> None:
    """Change the store's keys, however many others do so at the same time."""
    for _ in range(_EDIT_ATTEMPTS):
        known, etag = read(store)
        data = api_keys.dump(change(known))
        try:
            store.put(layout.api_keys(), data, if_absent=etag is None, if_match=etag)
        except PreconditionFailedError:
            continue
        return
    raise StoreError(
        f"The API keys in {store.url} were not changed: {_EDIT_ATTEMPTS} times somebody else was "
        "faster. Expected was a moment without other changes. Try again."
    )


def _load(store: Store) -> ApiKeys:
    try:
        return api_keys.parse(store.get(layout.api_keys()).data)
    except ObjectNotFoundError as error:
        # A folder simply has none; S3 may have meant that this role may not look.
        level = logging.INFO if isinstance(store, FolderStore) else logging.WARNING
        _log.log(level, "There are no API keys. %s", error)
        return ()
