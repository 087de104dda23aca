"""Stage 1 of a retraining: the base snapshot and what people said since -> a new snapshot."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from aisle.catalogue.products import LabelledProduct
from aisle.errors import BundleError, DataError
from aisle.feedback.event import product_fields, read_events
from aisle.feedback.processed import Processed, read_report, write_processed
from aisle.identity import Identity, product_identity
from aisle.model.classifier import Classifier
from aisle.product import PATH_SEPARATOR, Path, own_ids
from aisle.progress import say
from aisle.registry import bundles
from aisle.registry.pointer import read_pointer
from aisle.store import Store
from aisle_training.data.ingest import (
    Snapshot,
    SnapshotRow,
    list_snapshots,
    read_snapshot,
    snapshot_facts,
    write_snapshot,
)
from aisle_training.data.prepare import canonical_paths, clean, group_of, split_of
from aisle_training.data.said import Said, Shelves, read_said
from aisle_training.data.suspicion import improbable
from aisle_training.data.trust import Known, Label, Settled, settle
from aisle_training.parameters import FeedbackParameters, PrepareParameters

_CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class _Base:
    """The base snapshot as feedback is judged beside it."""

    snapshot: Snapshot
    rows: tuple[SnapshotRow, ...]
    identities: tuple[Identity, ...]
    labels: dict[Identity, Path]
    products: Counter[str]


def find_base(store: Store) -> Snapshot | None:
    """Return the base snapshot of the model that serves, else the store's only one, if any.

    Raises DataError where there are several to choose from.
    """
    snapshot = serving_snapshot(store)
    if snapshot is None:
        bases = [one for one in list_snapshots(store) if one.base is None]
        if len(bases) > 1:
            raise DataError(
                f"There are {len(bases)} catalogues in {store.url} and no model that serves one of "
                "them, so what to retrain on is open. Expected a published model. Train one first: "
                "aisle train --data FILE."
            )
        return bases[0] if bases else None
    return snapshot if snapshot.base is None else snapshot_facts(store, snapshot.base)


def ingest_feedback(  # noqa: PLR0913  # each says something else
    store: Store,
    base: Snapshot,
    settings: FeedbackParameters,
    split: PrepareParameters,
    *,
    champion: Callable[[], Classifier],
    known_model: Callable[[str], Classifier],
    run: str,
    why: str,
) -> Snapshot:
    """Write what people said on top of a base as a snapshot; tell what became of each event.

    `split` tells which products are learnt from; `champion` gives the model that serves, and
    `known_model` that of a version; both raise BundleError where it cannot be read.

    Also writes what was processed, by which later events are known to be new.
    """
    events, broken = read_events(store)
    ground = _read_base(store, base)
    shelves = Shelves(canonical_paths(tuple(ground.labels.values())).values())
    said, unusable = read_said(store, events, shelves, known_model)
    answers = _answers(champion, said)
    known = Known(ground.labels, ground.products, answers)
    settled = settle(
        said,
        known,
        settings,
        looks_wrong=lambda asked: _improbable(asked, ground, settings, split),
    )
    unusable |= {each.id: each.why for each in broken}
    for own, reason in unusable.items():
        settled.states[own] = ("unusable", reason)
    folded = _fold_new_categories(settled, shelves, settings)
    before = learnt(serving_snapshot(store))
    # What nobody has looked at yet, and waits for that alone, is not processed.
    waiting = {event.id for event in events if event.anonymous and event.review is None}
    ids = {event.id for event in events} - waiting
    accepted = sorted(own for own, (state, _) in settled.states.items() if state == "accepted")
    states: Counter[str] = Counter(state for state, _ in settled.states.values())
    counts = dict(sorted(states.items()))
    snapshot = write_snapshot(
        store,
        _rows(ground, settled, before),
        base=base,
        feedback={
            "events": sorted(ids | {each.id for each in broken}),
            "accepted": accepted,
            "states": counts,
            "products": len(settled.labels),
            "contradictions": len(settled.contradictions),
        },
        report={
            "events": _told(said, settled),
            "contradictions": settled.contradictions,
            "new_categories": folded,
            "new": sorted(set(accepted) - before),
            "agreeing": sorted(_agreeing(said, answers) & set(accepted)),
        },
    )
    # What cannot be read is not processed: a newer version may know what to make of it.
    seen = Processed(run, datetime.now(UTC), why, snapshot.id, frozenset(ids), counts)
    write_processed(store, seen)
    say(f"{len(settled.states)} feedback events: {_listed(counts)}.")
    if settled.contradictions:
        say(f"Of {len(settled.contradictions)} products, clients said different things.")
    return snapshot


def serving_snapshot(store: Store) -> Snapshot | None:
    """Return the snapshot that the published model was trained on, None where that is unknown."""
    try:
        found = read_pointer(store)
        if found is None:
            return None
        manifest = bundles.fetch_manifest(store, found[0].version)
        return snapshot_facts(store, manifest.dataset["snapshot"])
    except (BundleError, DataError) as error:
        say(f"What the model that serves was trained on cannot be told: {error}")
        return None


def learnt(snapshot: Snapshot | None) -> set[str]:
    """Return the events that are learnt from with a snapshot."""
    return set(snapshot.feedback["accepted"]) if snapshot and snapshot.feedback else set()


def agreeing(store: Store, snapshot: Snapshot) -> set[str]:
    """Return the events learnt from with a snapshot that agreed with the champion of that time.

    Where it is unknown what was predicted, an event is none of them.
    """
    return set(read_report(store, snapshot.id).agreeing)


def _read_base(store: Store, base: Snapshot) -> _Base:
    _, found = read_snapshot(store, base.id)
    rows = tuple(found)
    identities = tuple(product_identity(row.labelled.product) for row in rows)
    # A shop may have a product several times; the last label counts.
    labels = {of: row.labelled.path for of, row in zip(identities, rows, strict=True)}
    products = Counter(row.labelled.path[-1].id for row in rows)
    return _Base(base, rows, identities, labels, products)


def _answers(champion: Callable[[], Classifier], said: Sequence[Said]) -> dict[Identity, Path]:
    """Return what the model that serves says of the products."""
    try:
        classifier = champion()
    except BundleError as error:
        say(f"There is no champion to ask: {error}")
        return {}
    products = {one.identity: one.event.product for one in said}
    order = list(products)
    answers: dict[Identity, Path] = {}
    for at in range(0, len(order), _CHUNK):
        part = order[at : at + _CHUNK]
        labels = classifier.choose(
            classifier.predict_proba([products[identity] for identity in part])
        )
        found = [classifier.taxonomy.classes[label] for label in labels]
        answers.update(zip(part, found, strict=True))
    return answers


def _agreeing(said: Iterable[Said], answers: Mapping[Identity, Path]) -> set[str]:
    """Return the events that name what was predicted, and what the champion answers still."""
    return {
        one.event.id
        for one in said
        if not one.event.disagrees
        and (answer := answers.get(one.identity)) is not None
        and answer[-1].id == one.path[-1].id
    }


def _improbable(
    asked: Sequence[Said], base: _Base, settings: FeedbackParameters, split: PrepareParameters
) -> list[bool]:
    """Judge what was said beside a sample of the base, without what it is to replace.

    By the first level of the path: where a model is wrong, it is by products that are alike, and
    those are on shelves nearby. By the last category, most true corrections would look wrong.
    """
    if not asked:
        return []
    replaced = {one.identity for one in asked}
    beside = [
        (" ".join(identity), row.labelled.path[0].id)
        for identity, row in zip(base.identities, base.rows, strict=True)
        if identity not in replaced and any(identity) and _learnt(row, split)
    ]
    step = max(1, -(-len(beside) // settings.beside))
    beside = beside[::step]
    return improbable(
        [text for text, _ in beside] + [" ".join(one.identity) for one in asked],
        [own for _, own in beside] + [one.path[0].id for one in asked],
        asked=[False] * len(beside) + [True] * len(asked),
        neighbours=settings.neighbours,
    )


def _learnt(row: SnapshotRow, settings: PrepareParameters) -> bool:
    """Tell whether a product of the base is learnt from: the test is none of our business here."""
    if row.test:
        return False
    return split_of(group_of(clean(row.labelled.product)), settings) != "test"


def _fold_new_categories(
    settled: Settled, shelves: Shelves, settings: FeedbackParameters
) -> list[dict[str, Any]]:
    """Cut paths that have too few products yet back to what is known; return the new categories."""
    counts: Counter[Path] = Counter()
    for label in settled.labels.values():
        for depth in range(1, len(label.path) + 1):
            if label.path[depth - 1].id not in shelves.known:
                counts[label.path[:depth]] += 1
    for identity, label in list(settled.labels.items()):
        path = label.path
        while path and 0 < counts[path] < settings.new_category_products:
            path = path[:-1]
        if path:
            settled.labels[identity] = replace(label, path=path)
        else:
            why = "nothing above its new category is known, which has too few products yet"
            settled.put(settled.labels.pop(identity).said, "held", why)
    return [
        {
            "path": [node.name for node in path],
            "products": count,
            "joined": count >= settings.new_category_products,
        }
        for path, count in sorted(counts.items(), key=lambda one: [node.id for node in one[0]])
    ]


def _rows(base: _Base, settled: Settled, before: set[str]) -> Iterator[SnapshotRow]:
    for identity, row in zip(base.identities, base.rows, strict=True):
        yield replace(row, replaced=True) if identity in settled.labels else row
    for label in settled.labels.values():
        yield _row(label, before)


def _row(label: Label, before: set[str]) -> SnapshotRow:
    new = any(one.event.id not in before for one in label.said)
    labelled = LabelledProduct(label.latest.event.product, label.path, own_ids(label.path))
    return SnapshotRow(labelled, test=False, feedback="new" if new else "known")


def _told(said: Iterable[Said], settled: Settled) -> list[dict[str, Any]]:
    paths = {one.event.id: (one.event, one.path) for one in said}
    told = []
    for own, (state, why) in sorted(settled.states.items()):
        facts: dict[str, Any] = {"id": own, "state": state, "why": why}
        if own in paths:
            event, path = paths[own]
            facts |= {
                "client": event.client,
                "received": event.received.isoformat(timespec="milliseconds"),
                "product": product_fields(event.product),
                "category": PATH_SEPARATOR.join(node.name for node in path),
                "note": event.note,
            }
        told.append(facts)
    return told


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
