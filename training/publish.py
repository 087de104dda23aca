"""Stage 6, publish: let a bundle through the gate, and make it the one that serves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aisle import registry
from aisle.bundle import Bundle
from aisle.classifier import Classifier
from aisle.errors import PublicationRefusedError
from aisle.registry import Pointer
from aisle.store import Store
from training import parameters
from training.catalogue import LabelledProduct
from training.evaluate import evaluate

_COMPARED = ("accuracy", "macro_f1")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found: the version published, and the champion it was measured against."""

    version: str
    champion: str | None
    reasons: tuple[str, ...]


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
    found = registry.read_pointer(store)
    pointer, etag = found if found is not None else (None, None)
    version = bundle.manifest.model_version
    test_sha256 = bundle.manifest.dataset["test_sha256"]
    reasons = _absolute_reasons(metrics, test)
    champion = None
    if pointer is not None and pointer.version == version:
        return Verdict(version, version, ("it is the model that serves already",))
    if pointer is not None and pointer.test_sha256 == test_sha256:
        champion = pointer.version
        theirs = evaluate(Classifier(registry.fetch_bundle(store, champion)), test)
        reasons += _worse(metrics["leaf"], theirs["leaf"], champion, settings.tolerance)
    if reasons:
        raise PublicationRefusedError(
            f"Model {version} was not published: {'; '.join(reasons)}. "
            "The store serves what it served before."
        )
    registry.upload_bundle(store, bundle)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    registry.write_pointer(store, Pointer(version, test_sha256, now), replacing=etag)
    return Verdict(version, champion, ())


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
