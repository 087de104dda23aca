"""The list of models that the command line, the API and the page show.

A model's state is derived from the audit records alone. The predict function may list nothing
else, and must show the same states as a process that can read the whole store.
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
    """The state of a model now. The API publishes the values, so they must not change."""

    CURRENT = "current"
    """It serves now."""
    PUBLISHED = "published"
    """It served until another was promoted; a later refusal does not change this state."""
    REFUSED = "refused"
    """The gate refused it."""
    ROLLED_BACK = "rolled back from"
    """It served until somebody rolled back to another model."""
    STORED = "stored"
    """Its bundle is in the store, but no audit record mentions it."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """A model's figures in the list, from its report; `accuracy` is on the frozen test.

    `classes` counts the categories it can predict, `products` those it was trained on.
    """

    created_at: str | None = None
    accuracy: _Share | None = None
    classes: _Count | None = None
    products: _Count | None = None


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model in the list.

    `event` is the latest audit record about this version; `why` is the reason in the record that
    determines `state`, which after a rollback is a record about another version.
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
    """Return all models of a store, newest first; the packaged one too if it serves."""
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
    """Return the current model, those with an audit record, and `more`, newest first.

    `history` has the audit records, newest first; `figures` returns a version's figures, and is
    called by several threads at once.
    """
    versions = [*dict.fromkeys([current, *(entry.version for entry in history), *more])]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        version_figures = [*pool.map(figures, versions)]
    rows = [
        _model(version, current, history, figures_of_version)
        for version, figures_of_version in zip(versions, version_figures, strict=True)
    ]
    return sorted(rows, key=lambda model: (model.created_at or "", model.version), reverse=True)


def current_version(store: Store) -> str:
    """Return the version that serves; raise BundleError if the pointer is malformed."""
    pointed = read_pointer(store)
    return pointed[0].version if pointed else packaged_version()


def figures_of(store: Store | None, version: str) -> ModelFigures:
    """Return a version's figures for the list; empty if its report is missing or malformed."""
    if version == packaged_version():
        return _figures(packaged_report())
    if store is None:
        return ModelFigures()
    try:
        return _figures(read_report(store, version) or {})
    except (MalformedObjectError, ValidationError) as error:  # the list is useful without it
        _log.warning("The report of model %s cannot be used. %s", version, error)
        return ModelFigures()


def _figures(report: Mapping[str, Any]) -> ModelFigures:
    accuracy = report.get("accuracy")
    if accuracy is None:  # a report beside a packaged bundle has it among its metrics
        metrics = report.get("metrics")
        leaf = metrics.get("leaf") if isinstance(metrics, dict) else None
        accuracy = leaf.get("accuracy") if isinstance(leaf, dict) else None
    return _FIGURES.validate_python({**report, "accuracy": accuracy})


def _state(
    version: str, current: str, history: Iterable[AuditEntry]
) -> tuple[ModelState, AuditEntry | None]:
    """Return a model's state and the audit record that determines it, if there is one."""
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
    state, deciding = _state(version, current, history)
    own = [entry for entry in history if entry.version == version]
    return ListedModel(
        version=version,
        state=state,
        created_at=figures.created_at or (own[-1].at if own else None),
        accuracy=figures.accuracy,
        classes=figures.classes,
        products=figures.products,
        event=own[0] if own else None,
        why=deciding.why if deciding else None,
    )


def _is_bundle(key: str) -> bool:
    return key.count("/") == 2 and key.endswith(f"/{MANIFEST}")  # noqa: PLR2004
