"""What the store says of feedback, training and models, read for whoever asks."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from aisle.errors import AisleError, ObjectNotFoundError, StoreError
from aisle.model import bundle
from aisle.registry.pointer import read_pointer
from aisle.serving.learning.schemas import (
    AuditRecord,
    ModelsResponse,
    ModelState,
    ModelSummary,
    TrainingResponse,
)
from aisle.store import Store, layout, lease

REPORT: Final = "report.json"
PACKAGED: Final = "packaged"
"""What the packaged model may be called instead of by its version."""

_LISTED: Final = ("created_at", "accuracy", "metrics", "classes", "products")
_RECORDS: Final = 100
_AT_ONCE: Final = 8

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Records:
    """Read what training and its trigger have written; without a store there is nothing.

    Audit records never change, so each is fetched once; so is what a list says of a model, as long
    as nothing more has become of it.
    """

    open: Callable[[], Store] | None
    _known: dict[str, AuditRecord] = field(default_factory=dict)
    _listed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def read(self, key: str, model: type[M]) -> M:
        """Return an object of the store; where there is none, what the model says without."""
        found = self._get(key)
        return model() if found is None else _parse(key, found, model)

    def training(self) -> TrainingResponse:
        """Return how the latest run is getting on; who trains has a lease, or has died."""
        status = self.read(layout.training_status(), TrainingResponse)
        held = lease.read(self.open())[0] if self.open else None
        live = held if held and held.holds(datetime.now(UTC)) else None
        if live is not None and status.run != live.run:
            return TrainingResponse(
                run=live.run,
                state="running",
                started_at=live.taken_at.isoformat(timespec="seconds"),
                message="The run was started; it has not begun to work yet.",
            )
        if live is None and status.state == "running":
            why = "It was interrupted; the next run goes on with what it has finished."
            return status.model_copy(update={"state": "failed", "message": why})
        return status

    def report(self, version: str) -> dict[str, Any] | None:
        """Return what was measured of a model, or None where there is no such."""
        packaged = _packaged()
        if version in {PACKAGED, packaged.manifest.model_version}:
            return _facts_of_packaged(packaged)
        try:
            key = layout.report_file(version, REPORT)
        except StoreError:  # it cannot be the name of a version
            return None
        found = self._get(key)
        return None if found is None else {"version": version} | _object(key, found)

    def models(self) -> ModelsResponse:
        """Return the models that anything is known of, and what became of them."""
        history = self._history()
        current = self._current()
        versions = dict.fromkeys([current, *(record.version for record in history)])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            reports = pool.map(lambda version: self._facts(version, history), versions)
            facts = dict(zip(versions, reports, strict=True))
        models = [_summary(version, current, facts[version], history) for version in versions]
        models.sort(key=lambda each: each.created_at or "", reverse=True)
        return ModelsResponse(current=current, models=models, history=history)

    def _facts(self, version: str, history: Iterable[AuditRecord]) -> dict[str, Any]:
        """Return what a list says of a model, by its report."""
        last = next((record.at for record in history if record.version == version), "")
        if (version, last) not in self._listed:
            report = self.report(version)
            if report is None:
                return {}
            self._listed[version, last] = {name: report.get(name) for name in _LISTED}
        return self._listed[version, last]

    def _current(self) -> str:
        found = read_pointer(self.open()) if self.open else None
        return found[0].version if found else _packaged().manifest.model_version

    def _history(self) -> list[AuditRecord]:
        """Return the last audit records, the newest first: their names are in order of time."""
        if self.open is None:
            return []
        last = sorted(self.open().list(layout.audit_prefix()), reverse=True)[:_RECORDS]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [*pool.map(self._audit_record, last)]

    def _audit_record(self, key: str) -> AuditRecord:
        if key not in self._known:
            self._known[key] = _parse(key, self._get(key) or b"", AuditRecord)
        return self._known[key]

    def _get(self, key: str) -> bytes | None:
        if self.open is None:
            return None
        try:
            return self.open().get(key).data
        except ObjectNotFoundError:
            return None


def _summary(
    version: str, current: str, report: Mapping[str, Any], history: Iterable[AuditRecord]
) -> ModelSummary:
    own = [record for record in history if record.version == version]
    created = report.get("created_at") or (own[-1].at if own else None)
    accuracy = report.get("accuracy")
    if accuracy is None:
        accuracy = (report.get("metrics") or {}).get("leaf", {}).get("accuracy")
    return ModelSummary(
        version=version,
        created_at=created,
        state="current" if version == current else _state(version, history),
        accuracy=accuracy,
        classes=report.get("classes"),
        products=report.get("products"),
        event=own[0] if own else None,
    )


def _state(version: str, history: Iterable[AuditRecord]) -> ModelState:
    """Tell what became of a model that does not serve, by the last record that tells it."""
    for record in history:
        if record.event == "rolled back" and record.previous == version:
            return "rolled back from"
        if record.version == version:
            return "refused" if record.event == "refused" else "published"
    return "published"


@cache
def _packaged() -> bundle.Bundle:
    return bundle.read(bundle.PACKAGED)


def _facts_of_packaged(packaged: bundle.Bundle) -> dict[str, Any]:
    """Return the report that lies beside the packaged bundle, else what the bundle itself knows."""
    beside = bundle.PACKAGED / REPORT
    if beside.is_file():
        found = _object(REPORT, beside.read_bytes())
        if found.get("version") == packaged.manifest.model_version:
            return found
    metrics = packaged.json(bundle.METRICS)
    return {
        "version": packaged.manifest.model_version,
        "metrics": metrics["test"],
        "classes": metrics["test"].get("classes"),
        "products": packaged.manifest.documents,
    }


def _object(key: str, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise _malformed(key, error) from error
    if not isinstance(found, dict):
        raise _malformed(key, TypeError("it is no JSON object"))
    return found


def _parse(key: str, data: bytes, model: type[M]) -> M:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _malformed(key, error) from error


def _malformed(key: str, error: Exception) -> AisleError:
    return StoreError(
        f"{key} cannot be used: {error}. Expected was what a training run, or the decision to "
        "start one, writes there. Delete it; the next one writes it anew."
    )
