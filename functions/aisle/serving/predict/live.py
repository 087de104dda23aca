"""The model that serves, exchanged while it serves."""

import logging
import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from aisle.errors import BundleError, ObjectNotFoundError, StoreError
from aisle.model import bundle, golden
from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.registry.pointer import parse_pointer
from aisle.serving.http.telemetry import Silence, Telemetry
from aisle.store import FolderStore, Store, layout

POLL_SECONDS: Final = 60
# A version that was refused is fetched again when the pointer changes, or after this long: somebody
# may have mended its files, or what this role may read.
_RETRY_SECONDS: Final = 900

_log = logging.getLogger(__name__)


class LiveModel:
    """Give the classifier that serves: the store's published one, else the packaged one.

    The pointer is looked at once in `poll_seconds` at most, by whichever request comes then. That
    one loads and checks a new model beside the old one; others at the same time go on with the old.
    Whatever is wrong with store, pointer or bundle, the model that serves goes on serving, and the
    log says why. The clock tells seconds; it is wall-clock time because a frozen function's other
    clocks stop.
    """

    def __init__(
        self,
        store: Callable[[], Store] | None,
        *,
        telemetry: Telemetry | None = None,
        clock: Callable[[], float] = time.time,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._open = store
        self._store: Store | None = None
        self._telemetry = telemetry or Silence()
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._turn = Lock()
        self._serving: Classifier | None = None
        self._seen: str | None = None  # the ETag of the pointer that was judged last
        self._look_at = self._forget_at = -math.inf
        self._said = ""

    def __call__(self) -> Classifier:
        """Return the classifier that serves; raise BundleError where there is none."""
        waits = self._serving is None
        if (waits or self._clock() >= self._look_at) and self._turn.acquire(blocking=waits):
            try:
                self._look()
            finally:
                self._turn.release()
        if self._serving is None:
            raise BundleError("There is no model to serve: see the log for what was tried.")
        return self._serving

    def look(self) -> None:
        """Look at the pointer now, whenever the next look was to come."""
        with self._turn:
            self._look_at = -math.inf
            self._look()

    def _look(self) -> None:
        now = self._clock()
        if now < self._look_at:  # another request was faster
            return
        self._look_at = now + self._poll_seconds
        if self._open is not None:
            self._look_into_store(self._open, now)
        if self._serving is None:
            self._start_packaged()

    def _look_into_store(self, open_store: Callable[[], Store], now: float) -> None:
        try:
            self._store = self._store or open_store()
            self._follow_pointer(self._store, now)
        except ObjectNotFoundError as error:
            # A folder is simply empty; S3 may have meant that this role may not look.
            level = logging.INFO if isinstance(self._store, FolderStore) else logging.WARNING
            self._say(level, f"No published model was found. {error}")
        except StoreError as error:
            self._telemetry.count("StoreFailed", 1)
            self._say(logging.ERROR, f"Published models cannot be had. {error}")

    def _follow_pointer(self, store: Store, now: float) -> None:
        if now >= self._forget_at:
            self._seen = None
        key = layout.current_model()
        found = store.get_if_changed(key, self._seen) if self._seen else store.get(key)
        if found is None:
            return
        version = "unknown"
        try:
            version = parse_pointer(found.data, store.url).version
            if self._serving is None or self._serving.model_version != version:
                self._switch(_load(store, version))
        except StoreError:
            raise  # not the model's fault: the next look tries again
        except Exception as error:  # noqa: BLE001  # whatever a bundle does, the old one serves on
            self._refuse(version, error)
            self._forget_at = now + _RETRY_SECONDS
        else:
            self._forget_at = math.inf
        self._seen = found.etag

    def _switch(self, classifier: Classifier) -> None:
        before = self._serving.model_version if self._serving else "none"
        self._serving = classifier
        self._telemetry.count("ModelSwitched", 1)
        self._say(logging.INFO, f"Model {classifier.model_version} serves; before it: {before}.")

    def _refuse(self, version: str, error: Exception) -> None:
        self._telemetry.count("ModelRefused", 1, refused_version=version)
        _log.error("Model %s was refused; what served before goes on.", version, exc_info=error)
        self._said = ""

    def _start_packaged(self) -> None:
        try:
            self._serving = Classifier(bundle.read(bundle.PACKAGED))
        except BundleError as error:
            self._refuse("packaged", error)
        else:
            _log.info("The packaged model %s serves.", self._serving.model_version)

    def _say(self, level: int, text: str) -> None:
        """Log a text, unless it is what was logged last: the same every minute tells nothing."""
        if text != self._said:
            self._said = text
            _log.log(level, text)


def _load(store: Store, version: str) -> Classifier:
    """Load a published model and prove that it decides here as where it was exported."""
    whole = bundles.fetch_bundle(store, version)
    classifier = Classifier(whole)
    golden.replay(whole, classifier)
    return classifier
