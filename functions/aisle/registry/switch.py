"""Which model serves, changed by hand: a step forth to a model that passed, a step back."""

from datetime import UTC, datetime

from aisle.errors import DataError, PublicationRefusedError
from aisle.model import bundle, golden
from aisle.model.bundle import Bundle
from aisle.model.classifier import Classifier
from aisle.registry import audit, bundles
from aisle.registry.audit import AuditEvent, Occasion
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.registry.reports import read_report
from aisle.store import Store


def promote(store: Store, version: str, occasion: Occasion) -> str | None:
    """Make a model of the store serve; return what served before, None for the packaged one.

    Raises PublicationRefusedError for a model that the gate refused or never saw: nothing can skip
    it.
    """
    facts = read_report(store, version) or {}
    if facts.get("state") != "published":
        why = facts.get("why") or "there is no report that says that it passed"
        raise PublicationRefusedError(
            f"Model {version} was not promoted: the gate has not let it pass ({why}). Expected a "
            "version that it let pass: aisle model list shows those it refused. Train again."
        )
    return _switch(store, bundles.fetch_bundle(store, version), "promoted", occasion)


def rollback(store: Store, occasion: Occasion, *, to: str | None = None) -> tuple[str, str]:
    """Go back to the model that served before, or to one that served; return from and to.

    Raises DataError where there is none.
    """
    pointed = read_pointer(store)
    if pointed is None:
        raise DataError(
            f"There is nothing to go back from: {store.url} serves the packaged model. Expected a "
            "published model. Train one: aisle train."
        )
    current = pointed[0].version
    records = [one for one in audit.history(store) if one.event != "refused"]
    if to is None:
        # How it came to serve says what served before; a step back is no step forth.
        ups = [one for one in records if (one.version, one.event) == (current, "promoted")]
        to = ups[-1].previous if ups else None
        whole = bundle.read(bundle.PACKAGED) if to is None else bundles.fetch_bundle(store, to)
    else:
        if to not in {one.version for one in records} or to == current:
            raise DataError(
                f"There is no going back to {to!r}. Expected a model that has served and does not "
                "now; aisle model list shows them."
            )
        whole = bundles.fetch_bundle(store, to)
    _switch(store, whole, "rolled back", occasion)
    return current, whole.manifest.model_version


def _switch(store: Store, whole: Bundle, event: AuditEvent, occasion: Occasion) -> str | None:
    """Point to a bundle that is whole and decides as it did; the pointer comes last."""
    golden.replay(whole, Classifier(whole))
    version = whole.manifest.model_version
    found = read_pointer(store)
    previous = found[0].version if found else None
    if previous == version:
        raise DataError(f"Model {version} serves already. Expected another one: nothing changed.")
    # The packaged one is in no store yet, and what a pointer names has to be there.
    bundles.upload_bundle(store, whole)
    record = audit.write(store, event, version, occasion, previous=previous)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pointer = Pointer(version, whole.manifest.dataset["test_sha256"], now)
    try:
        write_pointer(store, pointer, replacing=found[1] if found else None)
    except BaseException:
        store.delete(record)  # it never came true
        raise
    return previous
