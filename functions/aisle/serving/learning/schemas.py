"""What goes over the wire about learning: feedback, training runs, models and their reports."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aisle.registry.audit import AuditEvent
from aisle.registry.job import JobState, StageState
from aisle.registry.models import ModelState

_Time = Annotated[str, Field(description="ISO 8601, UTC.", examples=["2026-11-22T12:00:00+00:00"])]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]


class _Stored(BaseModel):
    """What the store says, and nothing more than is described here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Decision(_Stored):
    """Whether the last look at the feedback started a training run."""

    at: _Time
    started: bool
    why: str = Field(description="Why it did, or did not.")
    run: str | None = Field(default=None, description="The run that was started.")


class FeedbackStatsResponse(_Stored):
    """What is known of the feedback, as of the last time that it was counted."""

    counted_at: _Time | None = Field(default=None, description="Null where it never was.")
    events: _Count = Field(default=0, description="How many there are in all.")
    right: _Count = Field(
        default=0,
        description=(
            "How many say that a prediction was right, or name the category that was predicted."
        ),
    )
    corrections: _Count = Field(default=0, description="How many say what is right instead.")
    new: _Count = Field(
        default=0,
        description=(
            "Of how many products a correction disagrees with what the model had predicted, and "
            "was not there yet at the last training. One that names the predicted category agrees, "
            "and does not count; where it is unknown what was predicted, it counts."
        ),
    )
    needed: _Count = Field(
        default=0, description="How many products of which one disagrees start a training run."
    )
    due: bool = Field(default=False, description="Whether there are enough of them.")
    why: str = Field(default="Nothing was counted yet.", description="Why it is due, or not.")
    held: _Count = Field(default=0, description="How many wait for a person to look at them.")
    quarantined: _Count = Field(default=0, description="How many look wrong.")
    unusable: _Count = Field(
        default=0,
        description="How many objects are no feedback that can be read, and count for nothing.",
    )
    last: Decision | None = None


class TrainingStage(_Stored):
    """A stage of a training run."""

    name: str
    state: StageState
    seconds: float | None = Field(default=None, ge=0, description="How long it has taken.")


class TrainingResponse(_Stored):
    """How the latest training run is getting on, or went."""

    run: str | None = None
    state: JobState = Field(default="idle", description="`idle` where there was no run yet.")
    stage: str | None = Field(default=None, description="The stage that runs.")
    stages: list[TrainingStage] = []
    progress: _Share = Field(default=0.0, description="How much of it is done.")
    started_at: _Time | None = None
    updated_at: _Time | None = None
    finished_at: _Time | None = None
    message: str = Field(default="No training run was started yet.", description="What happens.")
    version: str | None = Field(default=None, description="The model that it came to.")


class AuditRecord(_Stored):
    """Something that became of a model."""

    at: _Time
    event: AuditEvent
    version: str = Field(description="The model it is about; after a rollback, the one it led to.")
    previous: str | None = Field(default=None, description="The model that served before.")
    who: str | None = Field(default=None, description="Who did it.")
    why: str | None = None
    run: str | None = Field(default=None, description="The training run that it came from.")


class ModelSummary(_Stored):
    """A model of the store, in short."""

    version: str
    created_at: _Time | None = None
    state: Literal[
        ModelState.CURRENT, ModelState.PUBLISHED, ModelState.REFUSED, ModelState.ROLLED_BACK
    ]
    accuracy: _Share | None = Field(default=None, description="On its frozen test.")
    classes: _Count | None = Field(default=None, description="How many categories it predicts.")
    products: _Count | None = Field(default=None, description="How many it was trained on.")
    event: AuditRecord | None = Field(
        default=None, description="The last record of which it is the subject."
    )
    why: str | None = Field(
        default=None, description="The reason in the record that the state goes by."
    )


class ModelsResponse(_Stored):
    """The models there are, and what became of them."""

    current: str = Field(description="The version that serves, or that is about to.")
    models: list[ModelSummary] = Field(description="The newest first.")
    history: list[AuditRecord] = Field(description="The newest first, a hundred at most.")


class ReportResponse(BaseModel):
    """What was measured of a model. Which figures there are depends on how it was made."""

    model_config = ConfigDict(frozen=True, extra="allow")

    version: str
    metrics: dict[str, Any] = Field(default={}, description="On its frozen test.")
