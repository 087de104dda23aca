"""Stage 7, publish: make a judged model the one that serves, or keep it as refused."""

from dataclasses import dataclass
from datetime import UTC, datetime

from aisle.errors import BundleError, PreconditionFailedError, PublicationRefusedError
from aisle.model.bundle import Bundle
from aisle.registry import audit, bundles
from aisle.registry.audit import Occasion
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.store import Store, layout
from aisle_training.release.gate import Judgement


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate let pass, and the champion that it was measured against, if there was one.

    Both are the same where the model served already.
    """

    version: str
    champion: str | None


def publish(
    store: Store, bundle: Bundle, judgement: Judgement, report: dict[str, bytes], occasion: Occasion
) -> Verdict:
    """Store a judged bundle with its report, and let it serve if it passed; the pointer comes last.

    Raises PublicationRefusedError where it did not pass, and PreconditionFailedError where somebody
    else has published since it was judged; what served before then serves on.
    """
    version = bundle.manifest.model_version
    if judgement.version != version:
        raise PublicationRefusedError(
            f"Model {version} was not published: the gate judged {judgement.version}. Run the gate "
            "stage on it first."
        )
    pointer = _pointer(store)
    serves = pointer is not None and pointer.version == version
    # Also where it is the model that serves already: its files may have been lost since.
    bundles.upload_bundle(store, bundle)
    for name, data in report.items():
        store.put(layout.report_file(version, name), data)
    previous = pointer.version if pointer else None
    if serves:
        return Verdict(version, version)
    if not judgement.passed:
        audit.write(store, "refused", version, occasion, previous=previous)
        raise PublicationRefusedError(
            f"Model {version} was not published: {'; '.join(judgement.reasons)}. "
            "The store serves what it served before."
        )
    record = audit.write(store, "promoted", version, occasion, previous=previous)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    test_sha256 = bundle.manifest.dataset["test_sha256"]
    try:
        write_pointer(store, Pointer(version, test_sha256, now), replacing=judgement.etag)
    except PreconditionFailedError:
        found = _pointer(store)
        if found is not None and found.version == version:  # a job beside this one did the same
            return Verdict(version, judgement.champion)
        store.delete(record)  # it never came true
        raise
    return Verdict(version, judgement.champion)


def _pointer(store: Store) -> Pointer | None:
    try:
        found = read_pointer(store)
    except BundleError:  # the gate has said so; it may be replaced
        return None
    return found[0] if found else None
