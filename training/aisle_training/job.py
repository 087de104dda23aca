"""A training job as others see it, and what it need not do again after it was killed.

It tells how it gets on by `aisle.registry.job`. `runs/<run>/job.json` keeps what each finished
stage came to: a job that is started again goes on behind the last of them.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

from aisle.errors import (
    AisleError,
    MalformedObjectError,
    ObjectNotFoundError,
    PublicationRefusedError,
)
from aisle.registry.job import JobStage, JobState, JobStatus, StageState, read_status, write_status
from aisle.store import Store, layout

# The share of the whole that each stage takes, roughly, for the progress that people watch.
STAGES: Final = {
    "ingest": 0.06,
    "prepare": 0.05,
    "fit": 0.7,
    "export": 0.05,
    "evaluate": 0.04,
    "gate": 0.08,
    "publish": 0.02,
}
_JOB: Final = "job.json"


class TrainingJob:
    """A training job on a store; `id` names it."""

    def __init__(
        self, store: Store, run: str, request: dict[str, Any], results: dict[str, Any]
    ) -> None:
        self._store = store
        self.id = run
        self._request = request
        self._results = results
        self._seconds: dict[str, float] = {}
        self._started = _now()

    @classmethod
    def start(cls, store: Store, request: dict[str, Any], *, run: str | None = None) -> Self:
        """Start a job, or go on with one that was killed.

        That is one with the same id, or the latest one where it never came to an end and was asked
        for the same. What was asked for is plain data.
        """
        # As it will be read again: tuples become lists.
        request = json.loads(json.dumps(request))
        for known in (run, _unfinished(store)):
            job = _read(store, layout.job_file(known, _JOB)) if known else {}
            if job.get("request") == request:
                return cls(store, run or str(known), request, job["results"])
        return cls(store, run or f"{_now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}", request, {})

    def result(self, stage: str) -> Any:  # noqa: ANN401  # plain data of any shape
        """Return what a finished stage came to, None where it has yet to be done."""
        return self._results.get(stage)

    def forget(self, *stages: str) -> None:
        """Have stages done again."""
        for stage in stages:
            self._results.pop(stage, None)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Tell how the job ends, whichever way."""
        try:
            yield
        except PublicationRefusedError as error:
            self._tell("refused", message=str(error), version=self._version)
            raise
        except AisleError as error:
            self._tell("failed", message=str(error))
            raise
        except BaseException as error:
            self._tell("failed", message=f"It was stopped by {type(error).__name__}.")
            raise
        self._tell("published", message="The model serves.", version=self._version)

    def begin(self, stage: str) -> None:
        """Tell that a stage is being worked on."""
        self._tell("running", stage=stage, message=f"Working on {stage}.")

    def done(self, stage: str, result: Any, seconds: float) -> None:  # noqa: ANN401  # plain data
        """Keep what a stage came to: plain data that is enough to go on from."""
        self._results[stage] = result
        self._seconds[stage] = round(seconds, 2)
        job = {"request": self._request, "results": self._results}
        self._store.put(layout.job_file(self.id, _JOB), _json(job))

    @property
    def _version(self) -> str | None:
        verdict = self._results.get("gate")
        return verdict["version"] if verdict else None

    def _tell(
        self, state: JobState, *, message: str, stage: str | None = None, version: str | None = None
    ) -> None:
        now = _now().isoformat(timespec="seconds")
        done = sum(share for name, share in STAGES.items() if name in self._results)
        status = JobStatus(
            run=self.id,
            state=state,
            stage=stage,
            stages=tuple(
                JobStage(name, self._state(name, stage), self._seconds.get(name)) for name in STAGES
            ),
            progress=1.0 if state == "published" else round(done, 2),
            started_at=self._started.isoformat(timespec="seconds"),
            updated_at=now,
            finished_at=now if state != "running" else None,
            message=message,
            version=version,
        )
        write_status(self._store, status)

    def _state(self, name: str, stage: str | None) -> StageState:
        if name in self._results:
            return "done"
        return "running" if name == stage else "waiting"


def _unfinished(store: Store) -> str | None:
    """Return the latest job of a store where it has not told its end."""
    try:
        latest = read_status(store)
    except MalformedObjectError:  # what this one tells takes its place
        return None
    return latest.run if latest.state == "running" else None


def _read(store: Store, key: str) -> dict[str, Any]:
    """Return an object's JSON; an empty one where there is none, or none that can be read."""
    try:
        found = json.loads(store.get(key).data)
    except (ObjectNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _now() -> datetime:
    return datetime.now(UTC)


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data
    return json.dumps(data, indent=2, sort_keys=True).encode() + b"\n"
