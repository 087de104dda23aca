"""What makes `aisle serve` learn: it looks at the feedback, has a process train, and swaps."""

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
_LOOK_SECONDS: Final = 2.0  # at a pointer that is a file on this machine
_COUNT_SECONDS: Final = 60.0  # feedback that came in past this process
_SETTLE_SECONDS: Final = 2.0  # what comes in at once is counted at once
_AFTER_A_CRASH_SECONDS: Final = 900.0
_VERDICTS: Final = frozenset({0, 3})  # published, refused

_log = logging.getLogger(__name__)


class Learner(Silence):
    """Train in a process of its own where that is due; let the model that comes of it serve.

    It listens to what the API tells: that feedback came in. `command` is what trains, given the
    name of the run and the reason for it. The clock returns seconds that never go backwards.
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
        """Hear of feedback."""
        del facts
        if name == "Feedback" and any(values):
            soon = self._clock() + _SETTLE_SECONDS
            self._count_at = min(self._count_at, max(soon, self._patient_until))

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work beside the block; afterwards end the training that is under way, for another day."""
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
                _log.warning("The feedback cannot be learnt from just now. %s", error)
                self._count_at = self._clock() + _COUNT_SECONDS
            except Exception:  # noqa: BLE001  # whatever it is, the service goes on
                _log.exception("The feedback cannot be learnt from just now.")
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
        # A session of its own: Ctrl-C is for this process, which then ends that one in its own way.
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            [*_politely(), *self._command(run, why)],
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
            self._count_at = now  # more may have come in meanwhile
        else:  # whatever did that may do it again
            _log.error("Training run %s ended without a verdict (code %d).", self._run, code)
            self._count_at = self._patient_until = now + _AFTER_A_CRASH_SECONDS
        self._model.look()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            lease.release(self._counter.store, self._run, now=datetime.now(UTC))


def training_command(store_url: str) -> Callable[[str, str], list[str]] | None:
    """Return the command that trains on a store; None where nothing that trains is installed."""
    if find_spec("sklearn") is None or find_spec("aisle_training") is None:
        return None
    start = [sys.executable, "-c", "from aisle.cli.main import main; main()", "--store", store_url]
    return lambda run, why: [*start, "retrain", "--run", run, "--why", why]


def _politely() -> list[str]:
    """Let who asks go before what trains."""
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice else []


def _holder() -> str:
    return f"aisle serve, process {os.getpid()} on {platform.node()}"
