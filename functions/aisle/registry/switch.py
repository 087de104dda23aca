"""Change by hand which model serves: promote one that passed the gate, or roll back."""

from datetime import UTC, datetime

from aisle.errors import BundleError, DataError, PublicationRefusedError
from aisle.model import bundle, golden
from aisle.model.bundle import Bundle
from aisle.model.classifier import Classifier
from aisle.registry import audit, bundles
from aisle.registry.audit import AuditEvent, Occasion
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.registry.reports import read_report
from aisle.store import Store


def promote(store: Store, version: str, occasion: Occasion) -> str | None:
    """Make a model of the store serve; return the version that served before, None if packaged.

    Raises PublicationRefusedError for a model that the gate refused or never judged: the gate
    cannot be skipped.
    """
    report = read_report(store, version) or {}
    if report.get("state") != "published":
        why = report.get("why") or "no report says that it passed"
        raise PublicationRefusedError(
            f"Model {version} was not promoted: it did not pass the gate ({why}). Expected a "
            "version that passed; aisle model list shows which were refused. Train again."
        )
    return _switch(store, bundles.fetch_bundle(store, version), "promoted", occasion)


def rollback(store: Store, occasion: Occasion, *, to: str | None = None) -> tuple[str, str]:
    """Roll back to the model that served before, or to version `to`; return both versions.

    The first is the version rolled back from, the second the one that serves now. Raises DataError
    if there is nothing to roll back from or to.
    """
    pointed = read_pointer(store)
    if pointed is None:
        raise DataError(
            f"There is nothing to roll back from: {store.url} serves the packaged model. Expected "
            "a published model. Train one with aisle train."
        )
    current = pointed[0].version
    records = [record for record in audit.history(store) if record.event != "refused"]
    if to is None:
        # Its promotion names its predecessor; a rollback would name the model rolled back from.
        promotions = [
            record for record in records if (record.version, record.event) == (current, "promoted")
        ]
        to = promotions[-1].previous if promotions else None
        target = bundle.read(bundle.PACKAGED) if to is None else bundles.fetch_bundle(store, to)
    else:
        if to not in {record.version for record in records} or to == current:
            raise DataError(
                f"Cannot roll back to {to!r}. Expected a model that served before and does not "
                "serve now; aisle model list shows them. Choose one of those."
            )
        target = bundles.fetch_bundle(store, to)
    _switch(store, target, "rolled back", occasion)
    return current, target.manifest.model_version


def _switch(store: Store, target: Bundle, event: AuditEvent, occasion: Occasion) -> str | None:
    """Replay a bundle's golden examples, then record the change and write the pointer last."""
    golden.replay(target, Classifier(target))
    version = target.manifest.model_version
    test_sha256 = target.manifest.dataset.get("test_sha256")
    if not isinstance(test_sha256, str):
        raise BundleError(
            f"Model {version} does not say on which test it was measured. Expected test_sha256 in "
            "its manifest's dataset. Train again."
        )
    pointed = read_pointer(store)
    previous = pointed[0].version if pointed else None
    if previous == version:
        raise DataError(
            f"Model {version} already serves, so nothing changed. Expected another version. Choose "
            "one that aisle model list shows."
        )
    # The pointer may only name a bundle in the store, and the packaged one may not be there yet.
    bundles.upload_bundle(store, target)
    record = audit.write(store, event, version, occasion, previous=previous)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pointer = Pointer(version, test_sha256, now)
    try:
        write_pointer(store, pointer, replacing=pointed[1] if pointed else None)
    except BaseException:
        store.delete(record)  # the change did not take place
        raise
    return previous
