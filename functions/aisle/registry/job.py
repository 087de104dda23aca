"""How the latest training job of a store gets on: `models/training.json`, read with the lease.

Whoever trains tells of it here, and everybody else asks here. A job that says it goes on, but holds
the lease no more, was killed: that is told as its failure.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from aisle.errors import ObjectNotFoundError
from aisle.store import Store, layout, lease
from aisle.store.typed import REPLACED, parse

JobState = Literal["idle", "running", "published", "refused", "failed"]
StageState = Literal["waiting", "running", "done"]


@dataclass(frozen=True, slots=True)
class JobStage:
    """A stage of a training job; `seconds` is how long it took, where it is done."""

    name: str
    state: StageState
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How a training job gets on, or went; "idle" where there was none yet.

    `run` names the job, `stage` the stage that runs, `version` the model that it came to;
    `progress` is the share that is done, from 0 to 1. Times are ISO 8601, UTC.
    """

    run: str | None = None
    state: JobState = "idle"
    stage: str | None = None
    stages: tuple[JobStage, ...] = ()
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    started_at: str | None = None
    updated_at: str | None = None
    finished_at: str | None = None
    message: str = "No training run was started yet."
    version: str | None = None

    @property
    def interrupted(self) -> bool:
        """Tell whether it was killed: a job that fails says when."""
        return self.state == "failed" and self.finished_at is None


_STATUS: Final = TypeAdapter(JobStatus)


def read_status(store: Store) -> JobStatus:
    """Return what the latest job has told of itself; raise MalformedObjectError for nonsense."""
    key = layout.training_status()
    try:
        return parse(key, store.get(key).data, _STATUS, advice=REPLACED)
    except ObjectNotFoundError:
        return JobStatus()


def write_status(store: Store, status: JobStatus) -> None:
    """Tell how a job gets on."""
    data = json.dumps(asdict(status), indent=2, sort_keys=True).encode() + b"\n"
    store.put(layout.training_status(), data)


def current_status(store: Store, *, now: datetime, besides: str | None = None) -> JobStatus:
    """Return how the latest job gets on as of now, by its own words and by the lease.

    A lease that the job `besides` holds counts for nothing: that is the one that asks. Raises
    MalformedObjectError as `read_status` does.
    """
    status = read_status(store)
    held, _ = lease.read(store)
    live = held if held and held.holds(now) and held.run != besides else None
    if live is not None and status.run != live.run:
        return JobStatus(
            run=live.run,
            state="running",
            started_at=live.taken_at.isoformat(timespec="seconds"),
            message="The run was started; it has not begun to work yet.",
        )
    if live is None and status.state == "running":
        why = "It was interrupted; the next run goes on with what it has finished."
        return replace(status, state="failed", message=why)
    return status
