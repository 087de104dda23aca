"""The list of models, written once: command line, API and page show what this derives.

What became of a model is told by the audit records alone, so that the predict function, which may
list no more than these, tells the same as whoever may read the whole store.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from aisle.errors import MalformedObjectError
from aisle.model.bundle import MANIFEST
from aisle.registry import audit
from aisle.registry.audit import AuditEntry
from aisle.registry.pointer import read_pointer
from aisle.registry.reports import packaged_report, packaged_version, read_report
from aisle.store import Store, layout

_AT_ONCE: Final = 8

_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]

_log = logging.getLogger(__name__)


class ModelState(StrEnum):
    """What a model is now. The values are those of the API and stay."""

    CURRENT = "current"
    """It serves."""
    PUBLISHED = "published"
    """It has served, and another was promoted since; a later refusal does not change that."""
    REFUSED = "refused"
    """The gate did not let it serve."""
    ROLLED_BACK = "rolled back from"
    """It has served, and somebody went back from it."""
    STORED = "stored"
    """Its bundle lies in the store, and no record tells of it."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What the list says of a model by its report; `accuracy` is on the frozen test.

    `classes` counts the categories it predicts, `products` those it was trained on.
    """

    created_at: str | None = None
    accuracy: _Share | None = None
    classes: _Count | None = None
    products: _Count | None = None


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the list.

    `event` is the last record of which it is the subject; `why` is the reason that is given in the
    record that `state` goes by, which after a rollback is another model's.
    """

    version: str
    state: ModelState
    created_at: str | None
    accuracy: float | None
    classes: int | None
    products: int | None
    event: AuditEntry | None
    why: str | None


_FIGURES: Final = TypeAdapter(ModelFigures)


def models(store: Store) -> list[ListedModel]:
    """Return all models of a store, and the packaged one where that serves; the newest first."""
    history = audit.history(store)[::-1]
    stored = sorted(
        key.split("/")[1] for key in store.list(layout.models_prefix()) if _is_bundle(key)
    )
    return listed(
        current_version(store), history, lambda version: figures_of(store, version), more=stored
    )


def listed(
    current: str,
    history: Sequence[AuditEntry],
    figures: Callable[[str], ModelFigures],
    *,
    more: Iterable[str] = (),
) -> list[ListedModel]:
    """Return the model that serves, those with a record, and `more`, the newest first.

    `history` is the newest first; `figures` gives those of a version, and is asked by several
    threads at once.
    """
    versions = [*dict.fromkeys([current, *(entry.version for entry in history), *more])]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        measured = [*pool.map(figures, versions)]
    found = [
        _model(version, current, history, each)
        for version, each in zip(versions, measured, strict=True)
    ]
    return sorted(found, key=lambda model: (model.created_at or "", model.version), reverse=True)


def current_version(store: Store) -> str:
    """Return the version that serves; raise BundleError where the pointer is malformed."""
    pointed = read_pointer(store)
    return pointed[0].version if pointed else packaged_version()


def figures_of(store: Store | None, version: str) -> ModelFigures:
    """Return what the list says of a version: nothing where no report is kept, or a spoilt one."""
    if version == packaged_version():
        return _figures(packaged_report())
    if store is None:
        return ModelFigures()
    try:
        return _figures(read_report(store, version) or {})
    except (MalformedObjectError, ValidationError) as error:  # the list is of use without it
        _log.warning("The report of model %s cannot be used. %s", version, error)
        return ModelFigures()


def _figures(report: Mapping[str, Any]) -> ModelFigures:
    accuracy = report.get("accuracy")
    if accuracy is None:  # a report that was written beside a bundle has it among the metrics
        metrics = report.get("metrics")
        leaf = metrics.get("leaf") if isinstance(metrics, dict) else None
        accuracy = leaf.get("accuracy") if isinstance(leaf, dict) else None
    return _FIGURES.validate_python({**report, "accuracy": accuracy})


def _state(
    version: str, current: str, history: Iterable[AuditEntry]
) -> tuple[ModelState, AuditEntry | None]:
    """Tell what a model is, and the record that tells it: the last of its service, or a refusal."""
    refused: AuditEntry | None = None
    for entry in history:
        if entry.event == "rolled back" and entry.previous == version != current:
            return ModelState.ROLLED_BACK, entry
        if entry.version == version and entry.event != "refused":
            return ModelState.CURRENT if version == current else ModelState.PUBLISHED, entry
        if entry.version == version:
            refused = refused or entry
    if version == current:
        return ModelState.CURRENT, refused
    return (ModelState.REFUSED, refused) if refused else (ModelState.STORED, None)


def _model(
    version: str, current: str, history: Iterable[AuditEntry], figures: ModelFigures
) -> ListedModel:
    state, told = _state(version, current, history)
    own = [entry for entry in history if entry.version == version]
    return ListedModel(
        version=version,
        state=state,
        created_at=figures.created_at or (own[-1].at if own else None),
        accuracy=figures.accuracy,
        classes=figures.classes,
        products=figures.products,
        event=own[0] if own else None,
        why=told.why if told else None,
    )


def _is_bundle(key: str) -> bool:
    return key.count("/") == 2 and key.endswith(f"/{MANIFEST}")  # noqa: PLR2004
