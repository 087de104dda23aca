"""What the store says of feedback, training and models, read for whoever asks."""

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
"""What the packaged model may be called instead of by its version."""

_RECORDS: Final = 100
"""How many records the history shows; the models are derived from all of them."""

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class LearningRecords:
    """Read what training and its trigger have written; without a store there is nothing.

    Audit records never change, so each is fetched once; so is what a list says of a model, as long
    as nothing more has become of it.
    """

    open: Callable[[], Store] | None
    _known: dict[str, AuditEntry] = field(default_factory=dict)
    _listed: dict[tuple[str, str], ModelFigures] = field(default_factory=dict)

    def feedback(self) -> FeedbackStatsResponse:
        """Return what was counted of the feedback; where it never was, that."""
        stats = read_stats(self.open()) if self.open else FeedbackStats()
        return FeedbackStatsResponse.model_validate(asdict(stats))

    def training(self) -> TrainingResponse:
        """Return how the latest training job is getting on."""
        now = datetime.now(UTC)
        status = current_status(self.open(), now=now) if self.open else JobStatus()
        return TrainingResponse.model_validate(asdict(status))

    def report(self, version: str) -> dict[str, Any] | None:
        """Return what was measured of a model, or None where there is no such."""
        if version in {_PACKAGED_ALIAS, packaged_version()}:
            return packaged_report()
        if self.open is None or not layout.may_be_version(version):
            return None
        return read_report(self.open(), version)

    def models(self) -> ModelsResponse:
        """Return the models that anything is known of, and what became of them."""
        history = self._history()
        current = current_version(self.open()) if self.open else packaged_version()
        found = listed(current, history, lambda version: self._figures(version, history))
        return ModelsResponse.model_validate(
            {
                "current": current,
                "models": [asdict(model) for model in found],
                "history": [asdict(entry) for entry in history[:_RECORDS]],
            }
        )

    def _figures(self, version: str, history: Iterable[AuditEntry]) -> ModelFigures:
        """Return what a list says of a model; it is fetched again when more has become of it."""
        last = next((entry.at for entry in history if entry.version == version), "")
        if (version, last) not in self._listed:
            figures = figures_of(self.open() if self.open else None, version)
            if figures == ModelFigures():  # it may yet come
                return figures
            self._listed[version, last] = figures
        return self._listed[version, last]

    def _history(self) -> list[AuditEntry]:
        """Return all audit records, the newest first: their names are in order of time."""
        if self.open is None:
            return []
        last = sorted(self.open().list(layout.audit_prefix()), reverse=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [*pool.map(self._entry, last)]

    def _entry(self, key: str) -> AuditEntry:
        if key not in self._known and self.open is not None:
            self._known[key] = audit.read(self.open(), key)
        return self._known[key]
