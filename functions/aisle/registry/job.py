"""The status of a store's latest training job: `models/training.json`, read with the lease.

The training job writes its status here, and everyone else reads it here. A job whose status is
"running" but that no longer holds the lease was killed; it is reported as failed.
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
    """A stage of a training job; `seconds` is how long it took, once it is done."""

    name: str
    state: StageState
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of a training job; "idle" before the first one.

    `run` is the job's id, `stage` the stage that is running, `version` the model it produced;
    `progress` is the share done, from 0 to 1. Times are ISO 8601, UTC.
    """

    run: str | None = None
    state: JobState = "idle"
    stage: str | None = None
    stages: tuple[JobStage, ...] = ()
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    started_at: str | None = None
    updated_at: str | None = None
    finished_at: str | None = None
    message: str = "No training job has been started yet."
    version: str | None = None

    @property
    def interrupted(self) -> bool:
        """Tell whether the job was killed: a job that fails records when it finished."""
        return self.state == "failed" and self.finished_at is None


_STATUS: Final = TypeAdapter(JobStatus)


def read_status(store: Store) -> JobStatus:
    """Return the status that the latest job wrote; raise MalformedObjectError if malformed."""
    key = layout.training_status()
    try:
        return parse(key, store.get(key).data, _STATUS, advice=REPLACED)
    except ObjectNotFoundError:
        return JobStatus()


def write_status(store: Store, status: JobStatus) -> None:
    """Write the status of a job."""
    data = json.dumps(asdict(status), indent=2, sort_keys=True).encode() + b"\n"
    store.put(layout.training_status(), data)


def current_status(store: Store, *, now: datetime, besides: str | None = None) -> JobStatus:
    """Return the status of the latest job as of now, from what it wrote and from the lease.

    A lease held by the job `besides` is ignored: that is the job that asks. Raises
    MalformedObjectError as `read_status` does.
    """
    status = read_status(store)
    known, _ = lease.read(store)
    live = known if known and known.holds(now) and known.run != besides else None
    if live is not None and status.run != live.run:
        return JobStatus(
            run=live.run,
            state="running",
            started_at=live.taken_at.isoformat(timespec="seconds"),
            message="The training job was submitted and has not begun to work yet.",
        )
    if live is None and status.state == "running":
        why = "It was interrupted; the next job resumes after its last finished stage."
        return replace(status, state="failed", message=why)
    return status
