"""Reports: what each model's training job measured."""

from functools import cache
from typing import Any, Final

from aisle.errors import ObjectNotFoundError
from aisle.model import bundle
from aisle.store import Store, layout
from aisle.store.typed import parse_facts

REPORT: Final = "report.json"


def read_report(store: Store, version: str) -> dict[str, Any] | None:
    """Return the report of a model in the store, or None if it has none.

    Raises StoreError for text that cannot be a version, MalformedObjectError for a malformed
    report.
    """
    key = layout.report_file(version, REPORT)
    try:
        return {"version": version} | parse_facts(key, store.get(key).data)
    except ObjectNotFoundError:
        return None


def packaged_version() -> str:
    """Return the version of the packaged model."""
    return _packaged().manifest.model_version


def packaged_report() -> dict[str, Any]:
    """Return the report beside the packaged bundle, else what the bundle itself records."""
    packaged = _packaged()
    version = packaged.manifest.model_version
    beside = bundle.PACKAGED / REPORT
    if beside.is_file():
        report = parse_facts(REPORT, beside.read_bytes())
        if report.get("version") == version:
            return report
    test = packaged.json(bundle.METRICS)["test"]
    return {
        "version": version,
        "metrics": test,
        "classes": test.get("classes"),
        "products": packaged.manifest.documents,
    }


@cache
def _packaged() -> bundle.Bundle:
    return bundle.read(bundle.PACKAGED)
