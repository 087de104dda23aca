"""The current model, swapped while the process serves."""

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
# A refused version is fetched again when the pointer changes, or after this time: somebody may have
# repaired its files or the role's permissions.
_RETRY_SECONDS: Final = 900

_log = logging.getLogger(__name__)


class LiveModel:
    """Provide the current classifier: the store's published one, else the packaged one.

    At most once in `poll_seconds`, a request also checks the pointer. It loads and verifies a new
    model beside the old one, while concurrent requests use the old one. If the store, the pointer
    or the bundle fails, the old model continues to serve, and the error is logged. The clock
    returns seconds; it is wall-clock time, because a frozen Lambda function's monotonic clock
    stops.
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
        self._seen: str | None = None  # the ETag of the pointer that was checked last
        self._look_at = self._forget_at = -math.inf
        self._last_logged = ""

    def __call__(self) -> Classifier:
        """Return the current classifier; raise BundleError if there is none."""
        waits = self._serving is None
        if (waits or self._clock() >= self._look_at) and self._turn.acquire(blocking=waits):
            try:
                self._look()
            finally:
                self._turn.release()
        if self._serving is None:
            raise BundleError(
                "No model can be served: neither the store nor the package has a usable one. "
                "Expected at least the packaged model. See the log for the causes."
            )
        return self._serving

    def look(self) -> None:
        """Check the pointer now, even if the next check is not due."""
        with self._turn:
            self._look_at = -math.inf
            self._look()

    def _look(self) -> None:
        now = self._clock()
        if now < self._look_at:  # another request has just checked
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
            # In a folder there really is none; S3 answers the same if the role may not read it.
            level = logging.INFO if isinstance(self._store, FolderStore) else logging.WARNING
            self._log_once(level, f"No published model was found. {error}")
        except StoreError as error:
            self._telemetry.count("StoreFailed", 1)
            self._log_once(logging.ERROR, f"Published models cannot be read. {error}")

    def _follow_pointer(self, store: Store, now: float) -> None:
        if now >= self._forget_at:
            self._seen = None
        key = layout.current_model()
        stored = store.get_if_changed(key, self._seen) if self._seen else store.get(key)
        if stored is None:
            return
        version = "unknown"
        try:
            version = parse_pointer(stored.data, store.url).version
            if self._serving is None or self._serving.model_version != version:
                self._switch(_load(store, version))
        except StoreError:
            raise  # the model is not at fault: the next check tries again
        except Exception as error:  # noqa: BLE001  # whatever fails in a bundle, the old model serves
            self._refuse(version, error)
            self._forget_at = now + _RETRY_SECONDS
        else:
            self._forget_at = math.inf
        self._seen = stored.etag

    def _switch(self, classifier: Classifier) -> None:
        before = self._serving.model_version if self._serving else "none"
        self._serving = classifier
        self._telemetry.count("ModelSwitched", 1)
        self._log_once(
            logging.INFO, f"Model {classifier.model_version} serves now; before it: {before}."
        )

    def _refuse(self, version: str, error: Exception) -> None:
        self._telemetry.count("ModelRefused", 1, refused_version=version)
        _log.error("Model %s was refused; the model before it serves.", version, exc_info=error)
        self._last_logged = ""

    def _start_packaged(self) -> None:
        try:
            self._serving = Classifier(bundle.read(bundle.PACKAGED))
        except BundleError as error:
            self._refuse("packaged", error)
        else:
            _log.info("The packaged model %s serves.", self._serving.model_version)

    def _log_once(self, level: int, text: str) -> None:
        """Log a text, unless it was also logged last: otherwise it would be logged every minute."""
        if text != self._last_logged:
            self._last_logged = text
            _log.log(level, text)


def _load(store: Store, version: str) -> Classifier:
    """Load a published model and verify that it reproduces its golden examples here."""
    fetched = bundles.fetch_bundle(store, version)
    classifier = Classifier(fetched)
    golden.replay(fetched, classifier)
    return classifier
