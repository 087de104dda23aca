"""Reads the store's records of feedback, training and models for the API."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aisle.feedback.stats import FeedbackStats, read_stats
from aisle.registry import audit
from aisle.registry.audit import AuditEntry
from aisle.registry.job import JobStatus, current_status
from aisle.registry.models import ModelFigures, current_version, figures_of, listed
from aisle.registry.reports import packaged_report, packaged_version, read_report
from aisle.serving.learning.schemas import FeedbackStatsResponse, ModelsResponse, TrainingResponse
from aisle.store import Store, layout

_PACKAGED_ALIAS: Final = "packaged"
"""A name for the packaged model, beside its version."""

_RECORDS: Final = 100
"""How many audit records the response contains; the models are derived from all records."""

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class LearningRecords:
    """Read what training and its trigger have written; without a store, return the defaults.

    Audit records never change, so each is fetched once. A model's figures are fetched again only
    when it has a new audit record.
    """

    open: Callable[[], Store] | None
    _known: dict[str, AuditEntry] = field(default_factory=dict)
    _listed: dict[tuple[str, str], ModelFigures] = field(default_factory=dict)

    def feedback(self) -> FeedbackStatsResponse:
        """Return the latest feedback counts."""
        stats = read_stats(self.open()) if self.open else FeedbackStats()
        return FeedbackStatsResponse.model_validate(asdict(stats))

    def training(self) -> TrainingResponse:
        """Return the status of the latest training job."""
        now = datetime.now(UTC)
        status = current_status(self.open(), now=now) if self.open else JobStatus()
        return TrainingResponse.model_validate(asdict(status))

    def report(self, version: str) -> dict[str, Any] | None:
        """Return a model's report, or None if there is no such model."""
        if version in {_PACKAGED_ALIAS, packaged_version()}:
            return packaged_report()
        if self.open is None or not layout.may_be_version(version):
            return None
        return read_report(self.open(), version)

    def models(self) -> ModelsResponse:
        """Return the models in the audit records, the current model, and the latest records."""
        history = self._history()
        current = current_version(self.open()) if self.open else packaged_version()
        models = listed(current, history, lambda version: self._figures(version, history))
        return ModelsResponse.model_validate(
            {
                "current": current,
                "models": [asdict(model) for model in models],
                "history": [asdict(entry) for entry in history[:_RECORDS]],
            }
        )

    def _figures(self, version: str, history: Iterable[AuditEntry]) -> ModelFigures:
        """Return a model's figures; fetch them again after a new audit record about it."""
        last = next((entry.at for entry in history if entry.version == version), "")
        if (version, last) not in self._listed:
            figures = figures_of(self.open() if self.open else None, version)
            if figures == ModelFigures():  # the report may still be written
                return figures
            self._listed[version, last] = figures
        return self._listed[version, last]

    def _history(self) -> list[AuditEntry]:
        """Return all audit records, newest first: their keys sort by time."""
        if self.open is None:
            return []
        keys = sorted(self.open().list(layout.audit_prefix()), reverse=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [*pool.map(self._entry, keys)]

    def _entry(self, key: str) -> AuditEntry:
        if key not in self._known and self.open is not None:
            self._known[key] = audit.read(self.open(), key)
        return self._known[key]
