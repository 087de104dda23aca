"""A training job's status for others to see, and its checkpoint to resume from.

`aisle.registry.job` holds the status. The checkpoint, `runs/<run>/job.json`, holds the result of
each finished stage: a job that is started again resumes after the last of them. Its id is called
`run` wherever it is stored.
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
from aisle.json_text import parse_json
from aisle.registry.job import JobStage, JobState, JobStatus, StageState, read_status, write_status
from aisle.store import Store, layout

# Roughly each stage's share of the whole time, for the progress bar.
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
    """One attempt to train a model on a store; `id` names it."""

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
        """Start a job, or resume one that was killed.

        It resumes the job with the same id, else the store's latest job if that is unfinished, and
        only where the `request`, which is plain data, is the same.
        """
        # Tuples become lists, as in the stored request.
        request = json.loads(json.dumps(request))
        for candidate in (run, _unfinished(store)):
            checkpoint = _read(store, layout.job_file(candidate, _JOB)) if candidate else {}
            results = checkpoint.get("results")
            if checkpoint.get("request") == request and isinstance(results, dict):
                return cls(store, run or str(candidate), request, results)
        return cls(store, run or f"{_now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}", request, {})

    def result(self, stage: str) -> Any:  # noqa: ANN401  # plain data of any shape
        """Return the result of a finished stage, None where it is not finished."""
        return self._results.get(stage)

    def forget(self, *stages: str) -> None:
        """Discard the results of stages, so that they run again."""
        for stage in stages:
            self._results.pop(stage, None)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Report how the job ends: published, refused or failed."""
        try:
            yield
        except PublicationRefusedError as error:
            self._report("refused", message=str(error), version=self._version)
            raise
        except AisleError as error:
            self._report("failed", message=str(error))
            raise
        except BaseException as error:
            self._report("failed", message=f"The job was stopped by {type(error).__name__}.")
            raise
        self._report("published", message="The model serves.", version=self._version)

    def begin(self, stage: str) -> None:
        """Report that a stage is running."""
        self._report("running", stage=stage, message=f"Running the {stage} stage.")

    def done(self, stage: str, result: Any, seconds: float) -> None:  # noqa: ANN401  # plain data
        """Write a stage's result, which is plain data, to the checkpoint."""
        self._results[stage] = result
        self._seconds[stage] = round(seconds, 2)
        checkpoint = {"request": self._request, "results": self._results}
        self._store.put(layout.job_file(self.id, _JOB), _json(checkpoint))

    @property
    def _version(self) -> str | None:
        judgement = self._results.get("gate")
        return judgement["version"] if judgement else None

    def _report(
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
    """Return the id of a store's latest job, None where it has ended."""
    try:
        latest = read_status(store)
    except MalformedObjectError:  # the new job's status replaces it
        return None
    return latest.run if latest.state == "running" else None


def _read(store: Store, key: str) -> dict[str, Any]:
    """Return a JSON object of the store, empty where it is missing or damaged."""
    try:
        content = parse_json(store.get(key).data)
    except (ObjectNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _now() -> datetime:
    return datetime.now(UTC)


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data
    return json.dumps(data, indent=2, sort_keys=True).encode() + b"\n"
