"""The background learner of `aisle serve`: watch the feedback, train, switch the model."""

import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from threading import Event, Thread
from typing import Final

from aisle.errors import AisleError
from aisle.feedback.count import Counter
from aisle.feedback.due import Policy, start_if_due
from aisle.serving.http.telemetry import Silence
from aisle.serving.predict.live import LiveModel
from aisle.store import FolderStore, Store, lease

_TICK_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 2.0  # between reads of a pointer that is a local file
_COUNT_SECONDS: Final = 60.0  # between counts, for feedback written by other processes
_SETTLE_SECONDS: Final = 2.0  # wait this long after feedback, to count a burst only once
_AFTER_A_CRASH_SECONDS: Final = 900.0
_VERDICTS: Final = frozenset({0, 3})  # published, refused

_log = logging.getLogger(__name__)


class Learner(Silence):
    """Train in a separate process when training is due, and switch to the new model.

    It receives the API's metrics and so learns of new feedback. `command` returns the training
    command for the id of a training job and the reason for it. `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        model: LiveModel,
        policy: Policy,
        command: Callable[[str, str], Sequence[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counter = Counter(store)
        self._model = model
        self._policy = policy
        self._command = command
        self._clock = clock
        self._done = Event()
        self._count_at = self._look_at = self._patient_until = 0.0
        self._run = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def training(self) -> bool:
        """Tell whether a training process is running, or has ended and is not followed up yet."""
        return self._process is not None

    def count(self, name: str, *values: float, **facts: str) -> None:
        """Receive a metric; new feedback schedules a count."""
        del facts
        if name == "Feedback" and any(values):
            soon = self._clock() + _SETTLE_SECONDS
            self._count_at = min(self._count_at, max(soon, self._patient_until))

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run in the background during the block; at its end, stop any training in progress."""
        thread = Thread(target=self._work, name="learner", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()
            self._stop()

    def _work(self) -> None:
        while not self._done.wait(_TICK_SECONDS):
            try:
                self.step()
            except AisleError as error:
                _log.warning("Learning from feedback failed and will be retried. %s", error)
                self._count_at = self._clock() + _COUNT_SECONDS
            except Exception:  # noqa: BLE001  # no failure here may stop the service
                _log.exception("Learning from feedback failed and will be retried.")
                self._count_at = self._clock() + _COUNT_SECONDS

    def step(self) -> None:
        """Do what is due now: look at the pointer, follow the training process, or start one."""
        now = self._clock()
        if isinstance(self._counter.store, FolderStore) and now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._model.look()
        if self._process is not None:
            self._follow(self._process, now)
        elif now >= self._count_at:
            self._count_at = now + _COUNT_SECONDS
            start_if_due(self._counter, self._policy, self._launch, holder=_holder())

    def _launch(self, run: str, why: str) -> None:
        self._run = run
        # A separate session, so that Ctrl-C reaches only this process, which then stops the other.
        self._process = subprocess.Popen(  # noqa: S603  # a command of our own
            [*_low_priority(), *self._command(run, why)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _follow(self, process: subprocess.Popen[bytes], now: float) -> None:
        code = process.poll()
        if code is None:
            return
        self._process = None
        lease.release(self._counter.store, self._run, now=datetime.now(UTC))
        if code in _VERDICTS:
            self._count_at = now  # new feedback may have arrived meanwhile
        else:  # the cause may persist: wait before the next attempt
            _log.error("Training job %s ended without a verdict (exit code %d).", self._run, code)
            self._count_at = self._patient_until = now + _AFTER_A_CRASH_SECONDS
        self._model.look()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            lease.release(self._counter.store, self._run, now=datetime.now(UTC))


def training_command(store_url: str) -> Callable[[str, str], list[str]] | None:
    """Return the command that trains on a store, or None if training is not installed."""
    if find_spec("sklearn") is None or find_spec("aisle_training") is None:
        return None
    start = [sys.executable, "-c", "from aisle.cli.main import main; main()", "--store", store_url]
    return lambda run, why: [*start, "retrain", "--run", run, "--why", why]


def _low_priority() -> list[str]:
    """Return a prefix that lowers the priority of training below that of requests."""
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice else []


def _holder() -> str:
    return f"aisle serve, process {os.getpid()} on {platform.node()}"
