"""Stage 6, publish: let a bundle through the gate, and make it the one that serves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aisle import keys, registry
from aisle.bundle import Bundle
from aisle.classifier import Classifier
from aisle.errors import BundleError, PublicationRefusedError
from aisle.registry import Pointer
from aisle.store import Store
from catalogue.products import LabelledProduct
from training import parameters
from training.evaluate import evaluate
from training.progress import say

_COMPARED = ("accuracy", "macro_f1")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate let pass, and the champion that it was measured against, if there was one.

    Both are the same where the model served already.
    """

    version: str
    champion: str | None


def publish(
    store: Store,
    bundle: Bundle,
    metrics: dict[str, Any],
    test: Sequence[LabelledProduct],
    settings: parameters.Publish,
) -> Verdict:
    """Publish a bundle that verifies and is good enough; else raise PublicationRefusedError.

    `metrics` are the bundle's own on `test`. It has to be better than always answering the
    commonest category and, where the store's champion was measured on the same frozen test, not
    worse than it. A champion of another catalogue, the packaged one among them, is no measure.
    """
    pointer, etag = _serving(store)
    version = bundle.manifest.model_version
    test_sha256 = bundle.manifest.dataset["test_sha256"]
    reasons = _absolute_reasons(metrics, test)
    serves = pointer is not None and pointer.version == version
    champion = None
    if pointer is not None and not serves and pointer.test_sha256 == test_sha256:
        champion = _champion(store, pointer.version)
        if champion is not None:
            theirs = evaluate(champion, test)["leaf"]
            reasons += _worse(metrics["leaf"], theirs, pointer.version, settings.tolerance)
    if reasons:
        raise PublicationRefusedError(
            f"Model {version} was not published: {'; '.join(reasons)}. "
            "The store serves what it served before."
        )
    # Also where it is the model that serves already: its files may have been lost since.
    registry.upload_bundle(store, bundle)
    if serves:
        return Verdict(version, version)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    registry.write_pointer(store, Pointer(version, test_sha256, now), replacing=etag)
    return Verdict(version, champion.model_version if champion else None)


def _serving(store: Store) -> tuple[Pointer | None, str | None]:
    """Return the pointer and its ETag; a malformed pointer may be replaced, and that is said."""
    try:
        return registry.read_pointer(store) or (None, None)
    except BundleError as error:
        say(f"There is no champion: {error}")
        return None, store.get(keys.current_model()).etag


def _champion(store: Store, version: str) -> Classifier | None:
    """Load the model that serves; one that cannot be read is no measure, and that is said."""
    try:
        return Classifier(registry.fetch_bundle(store, version))
    except BundleError as error:
        say(f"There is no champion: {error}")
        return None


def _absolute_reasons(metrics: dict[str, Any], test: Sequence[LabelledProduct]) -> list[str]:
    if not test:
        return [
            "no product is left to test it on (give more products, or a test file with --test-data)"
        ]
    ((_, most),) = Counter(row.path[-1].id for row in test).most_common(1)
    baseline = most / len(test)
    accuracy = metrics["leaf"]["accuracy"]
    if accuracy <= baseline < 1:
        reason = (
            f"its accuracy {accuracy:.4f} on the frozen test is no better than always answering "
            f"the commonest category ({baseline:.4f})"
        )
        return [reason]
    return []


def _worse(
    mine: dict[str, float], theirs: dict[str, float], champion: str, tolerance: float
) -> list[str]:
    return [
        f"its {name} {mine[name]:.4f} on the frozen test is worse than champion {champion}'s "
        f"{theirs[name]:.4f} by more than {tolerance:g}"
        for name in _COMPARED
        if mine[name] < theirs[name] - tolerance
    ]
