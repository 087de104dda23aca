"""Stage 7, publish: put a model that passed the gate into service, or record its refusal."""

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
    """A model that passed the gate, and the champion that it was compared with, if any.

    Both are the same where the model was serving already.
    """

    version: str
    champion: str | None


def publish(
    store: Store, bundle: Bundle, judgement: Judgement, report: dict[str, bytes], occasion: Occasion
) -> Verdict:
    """Store a judged bundle with its report, and point to it if it passed; the pointer comes last.

    Raises PublicationRefusedError where it did not pass, and PreconditionFailedError where another
    model was published since it was judged; the store then serves what it served before.
    """
    version = bundle.manifest.model_version
    if judgement.version != version:
        raise PublicationRefusedError(
            f"Model {version} was not published: the gate judged {judgement.version} instead. Run "
            "the gate stage on this build first."
        )
    pointer = _pointer(store)
    serves = pointer is not None and pointer.version == version
    # A model that serves already is uploaded again: its files may have been lost.
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
            "The store still serves what it served before. All checks are in "
            f"{store.url}/{layout.report_file(version, 'report.md')}."
        )
    record = audit.write(store, "promoted", version, occasion, previous=previous)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    test_sha256 = bundle.manifest.dataset["test_sha256"]
    try:
        write_pointer(store, Pointer(version, test_sha256, now), replacing=judgement.etag)
    except PreconditionFailedError:
        current = _pointer(store)
        if current is not None and current.version == version:  # a concurrent job published it
            return Verdict(version, judgement.champion)
        store.delete(record)  # the promotion did not happen
        raise
    return Verdict(version, judgement.champion)


def _pointer(store: Store) -> Pointer | None:
    try:
        current = read_pointer(store)
    except BundleError:  # the gate has reported it; a malformed pointer may be replaced
        return None
    return current[0] if current else None
