"""The response schemas of the learning API: feedback counts, training, models, reports."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aisle.registry.audit import AuditEvent
from aisle.registry.job import JobState, StageState
from aisle.registry.models import ModelState

_Time = Annotated[str, Field(description="ISO 8601, UTC.", examples=["2026-11-22T12:00:00+00:00"])]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]


class _Stored(BaseModel):
    """Stored data, reduced to the fields that are described here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Decision(_Stored):
    """The latest check of the feedback, and whether it started a training job."""

    at: _Time
    started: bool
    why: str = Field(description="The reason why it did or did not.")
    run: str | None = Field(default=None, description="The id of the training job it started.")


class FeedbackStatsResponse(_Stored):
    """The feedback counts, as of the latest check."""

    counted_at: _Time | None = Field(
        default=None, description="When the feedback was counted; null if never."
    )
    events: _Count = Field(default=0, description="The number of feedback events.")
    right: _Count = Field(
        default=0,
        description=(
            "The number of events that confirm a prediction or name the predicted category."
        ),
    )
    corrections: _Count = Field(
        default=0, description="The number of events that name, or may name, another category."
    )
    new: _Count = Field(
        default=0,
        description=(
            "The number of products with a correction that the last training has not seen. A "
            "correction to a category other than the predicted one counts; so does any category "
            "if the predicted one is unknown. Confirmations do not count."
        ),
    )
    needed: _Count = Field(
        default=0, description="How many newly corrected products start a training job."
    )
    due: bool = Field(default=False, description="Whether retraining is due.")
    why: str = Field(
        default="No feedback has been counted yet.",
        description="The reason why retraining is or is not due.",
    )
    held: _Count = Field(default=0, description="The number of events that wait for a person.")
    quarantined: _Count = Field(
        default=0, description="The number of events that look wrong and wait for a person."
    )
    unusable: _Count = Field(
        default=0,
        description="The number of stored objects that cannot be read as feedback; not counted.",
    )
    last: Decision | None = None


class TrainingStage(_Stored):
    """A stage of a training job."""

    name: str
    state: StageState
    seconds: float | None = Field(default=None, ge=0, description="How long the stage took.")


class TrainingResponse(_Stored):
    """The status of the latest training job."""

    run: str | None = Field(default=None, description="The id of the training job.")
    state: JobState = Field(default="idle", description="`idle` before the first training job.")
    stage: str | None = Field(default=None, description="The stage that is running.")
    stages: list[TrainingStage] = []
    progress: _Share = Field(default=0.0, description="The share that is done, from 0 to 1.")
    started_at: _Time | None = None
    updated_at: _Time | None = None
    finished_at: _Time | None = None
    message: str = Field(
        default="No training job has been started yet.",
        description="What the job is doing, or how it ended.",
    )
    version: str | None = Field(default=None, description="The model that the job produced.")


class AuditRecord(_Stored):
    """A promotion, refusal or rollback of a model."""

    at: _Time
    event: AuditEvent
    version: str = Field(
        description="The model it is about; for a rollback, the model that serves after it."
    )
    previous: str | None = Field(
        default=None, description="The model that served before; null for the packaged one."
    )
    who: str | None = Field(default=None, description="Who decided.")
    why: str | None = None
    run: str | None = Field(default=None, description="The training job that decided, if any.")


class ModelSummary(_Stored):
    """A model in the list."""

    version: str
    created_at: _Time | None = None
    state: Literal[
        ModelState.CURRENT, ModelState.PUBLISHED, ModelState.REFUSED, ModelState.ROLLED_BACK
    ]
    accuracy: _Share | None = Field(
        default=None, description="The accuracy on its frozen test, in the deepest category."
    )
    classes: _Count | None = Field(
        default=None, description="The number of categories it can predict."
    )
    products: _Count | None = Field(
        default=None, description="The number of products it was trained on."
    )
    event: AuditRecord | None = Field(
        default=None, description="The latest audit record about this model."
    )
    why: str | None = Field(
        default=None, description="The reason in the audit record that determines `state`."
    )


class ModelsResponse(_Stored):
    """The models, and their audit records."""

    current: str = Field(
        description="The version in use; a server may take a minute to switch to a new one."
    )
    models: list[ModelSummary] = Field(description="The models, newest first.")
    history: list[AuditRecord] = Field(
        description="The latest audit records, newest first, at most a hundred."
    )


class ReportResponse(BaseModel):
    """A model's report. Which figures it has depends on how the model was trained."""

    model_config = ConfigDict(frozen=True, extra="allow")

    version: str
    metrics: dict[str, Any] = Field(default={}, description="The figures on its frozen test.")
