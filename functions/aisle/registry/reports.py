"""What was measured of each model: the report of the run that made it."""

from functools import cache
from typing import Any, Final

from aisle.errors import ObjectNotFoundError
from aisle.model import bundle
from aisle.store import Store, layout
from aisle.store.typed import parse_facts

REPORT: Final = "report.json"


def read_report(store: Store, version: str) -> dict[str, Any] | None:
    """Return what the run that made a model of the store measured; None where no report is kept.

    Raises StoreError for what cannot be a version, MalformedObjectError for a spoilt report.
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
    """Return the report that lies beside the packaged bundle, else what the bundle itself knows."""
    whole = _packaged()
    version = whole.manifest.model_version
    beside = bundle.PACKAGED / REPORT
    if beside.is_file():
        report = parse_facts(REPORT, beside.read_bytes())
        if report.get("version") == version:
            return report
    test = whole.json(bundle.METRICS)["test"]
    return {
        "version": version,
        "metrics": test,
        "classes": test.get("classes"),
        "products": whole.manifest.documents,
    }


@cache
def _packaged() -> bundle.Bundle:
    return bundle.read(bundle.PACKAGED)
