"""Stage 1 of a retraining: the base snapshot and all feedback -> a new snapshot."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from aisle.catalogue.products import LabelledProduct
from aisle.errors import BundleError, DataError, MalformedObjectError
from aisle.feedback.event import product_fields, read_events
from aisle.feedback.processed import Processed, read_report, write_processed
from aisle.identity import Identity, product_identity
from aisle.model.classifier import Classifier
from aisle.product import PATH_SEPARATOR, Path, own_ids
from aisle.progress import say
from aisle.registry import bundles
from aisle.registry.pointer import read_pointer
from aisle.store import Store
from aisle_training.data.annotations import Annotation, CategoryIndex, read_annotations
from aisle_training.data.ingest import (
    Snapshot,
    SnapshotRow,
    list_snapshots,
    read_snapshot,
    snapshot_facts,
    write_snapshot,
)
from aisle_training.data.label_aggregation import AggregatedLabels, Label, Reference, aggregate
from aisle_training.data.label_errors import find_label_errors
from aisle_training.data.prepare import canonical_paths, clean, group_of, split_of
from aisle_training.parameters import FeedbackParameters, PrepareParameters

_CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class _Base:
    """The base snapshot with what label aggregation needs of it.

    `identities` has one entry for each row; `labels` is the shop's label of each product,
    `class_sizes` the number of products in each category, by id.
    """

    snapshot: Snapshot
    rows: tuple[SnapshotRow, ...]
    identities: tuple[Identity, ...]
    labels: dict[Identity, Path]
    class_sizes: Counter[str]


def find_base(store: Store) -> Snapshot | None:
    """Return the base snapshot of the model that serves, else the store's only one, if any.

    Raises DataError where there are several to choose from, MalformedObjectError for a damaged
    manifest.
    """
    snapshot = serving_snapshot(store)
    if snapshot is None:
        bases = [snapshot for snapshot in list_snapshots(store) if snapshot.base is None]
        if len(bases) > 1:
            raise DataError(
                f"Cannot choose the catalogue to retrain on: {store.url} has {len(bases)}, and no "
                "published model that was trained on one of them. Expected a published model. "
                "Train one first: aisle train --data FILE."
            )
        return bases[0] if bases else None
    return snapshot if snapshot.base is None else snapshot_facts(store, snapshot.base)


def ingest_feedback(  # noqa: PLR0913  # each is a separate input
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
    """Write a base snapshot with the feedback on it as a new snapshot, with each event's state.

    `split` says which products belong to the test. `champion` returns the model that serves, and
    `known_model` that of a version; both raise BundleError where it cannot be read.

    Also records the processed events, so that later ones are known to be new.
    """
    events, broken = read_events(store)
    catalogue = _read_base(store, base)
    categories = CategoryIndex(canonical_paths(tuple(catalogue.labels.values())).values())
    annotations, unusable = read_annotations(store, events, categories, known_model)
    predictions = _predictions(champion, annotations)
    aggregated = aggregate(
        annotations,
        Reference(catalogue.labels, catalogue.class_sizes, predictions),
        settings,
        find_errors=lambda judged: _label_errors(judged, catalogue, settings, split),
    )
    unusable |= {event.id: event.why for event in broken}
    for event_id, reason in unusable.items():
        aggregated.states[event_id] = ("unusable", reason)
    new_categories = _fold_new_categories(aggregated, categories, settings)
    before = learnt(serving_snapshot(store))
    # An event that only waits for its first review is not processed yet.
    waiting = {event.id for event in events if event.anonymous and event.review is None}
    ids = {event.id for event in events} - waiting
    accepted = sorted(
        event_id for event_id, (state, _) in aggregated.states.items() if state == "accepted"
    )
    states: Counter[str] = Counter(state for state, _ in aggregated.states.values())
    counts = dict(sorted(states.items()))
    snapshot = write_snapshot(
        store,
        _rows(catalogue, aggregated, before),
        base=base,
        feedback={
            "events": sorted(ids | {event.id for event in broken}),
            "accepted": accepted,
            "states": counts,
            "products": len(aggregated.labels),
            "contradictions": len(aggregated.contradictions),
        },
        report={
            "events": _event_facts(annotations, aggregated),
            "contradictions": aggregated.contradictions,
            "new_categories": new_categories,
            "new": sorted(set(accepted) - before),
            "agreeing": sorted(_agreeing(annotations, predictions) & set(accepted)),
        },
    )
    # Unreadable events are not processed: a newer version of Aisle may be able to read them.
    processed = Processed(run, datetime.now(UTC), why, snapshot.id, frozenset(ids), counts)
    write_processed(store, processed)
    say(f"{len(aggregated.states)} feedback events: {_listed(counts)}.")
    if aggregated.contradictions:
        say(f"Products with contradictory feedback: {len(aggregated.contradictions)}.")
    return snapshot


def serving_snapshot(store: Store) -> Snapshot | None:
    """Return the snapshot that the published model was trained on, None where that is unknown."""
    try:
        current = read_pointer(store)
        if current is None:
            return None
        manifest = bundles.fetch_manifest(store, current[0].version)
        return snapshot_facts(store, manifest.dataset["snapshot"])
    except (BundleError, DataError, MalformedObjectError) as error:
        say(f"It is unknown which snapshot the model that serves was trained on: {error}")
        return None


def learnt(snapshot: Snapshot | None) -> set[str]:
    """Return the ids of the events that a model trained on a snapshot learns from."""
    return set(snapshot.feedback["accepted"]) if snapshot and snapshot.feedback else set()


def agreeing(store: Store, snapshot: Snapshot) -> set[str]:
    """Return the ids of a snapshot's learnt events that agreed with the champion of that time.

    An event whose prediction is unknown does not count as agreeing.
    """
    return set(read_report(store, snapshot.id).agreeing)


def _read_base(store: Store, base: Snapshot) -> _Base:
    _, stored_rows = read_snapshot(store, base.id)
    rows = tuple(stored_rows)
    identities = tuple(product_identity(row.labelled.product) for row in rows)
    # A shop may list a product several times; the last label counts.
    labels = {of: row.labelled.path for of, row in zip(identities, rows, strict=True)}
    class_sizes = Counter(row.labelled.path[-1].id for row in rows)
    return _Base(base, rows, identities, labels, class_sizes)


def _predictions(
    champion: Callable[[], Classifier], annotations: Sequence[Annotation]
) -> dict[Identity, Path]:
    """Return what the model that serves predicts for the annotated products."""
    try:
        classifier = champion()
    except BundleError as error:
        say(f"There is no champion to predict with: {error}")
        return {}
    products = {annotation.identity: annotation.event.product for annotation in annotations}
    order = list(products)
    predictions: dict[Identity, Path] = {}
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        labels = classifier.choose(
            classifier.predict_proba([products[identity] for identity in chunk])
        )
        paths = [classifier.taxonomy.classes[label] for label in labels]
        predictions.update(zip(chunk, paths, strict=True))
    return predictions


def _agreeing(annotations: Iterable[Annotation], predictions: Mapping[Identity, Path]) -> set[str]:
    """Return the events that agree with the prediction of their time and with the champion's."""
    return {
        annotation.event.id
        for annotation in annotations
        if not annotation.event.disagrees
        and (predicted := predictions.get(annotation.identity)) is not None
        and predicted[-1].id == annotation.path[-1].id
    }


def _label_errors(
    judged: Sequence[Annotation],
    base: _Base,
    settings: FeedbackParameters,
    split: PrepareParameters,
) -> list[bool]:
    """Find label errors among annotations, beside a sample of the base without these products.

    Compares the first level of the paths: a model's mistakes are among similar products, which are
    in neighbouring categories, so at the last level most true corrections would look wrong.
    """
    if not judged:
        return []
    replaced = {annotation.identity for annotation in judged}
    sample = [
        (" ".join(identity), row.labelled.path[0].id)
        for identity, row in zip(base.identities, base.rows, strict=True)
        if identity not in replaced and any(identity) and _in_training(row, split)
    ]
    step = max(1, -(-len(sample) // settings.beside))
    sample = sample[::step]
    return find_label_errors(
        [text for text, _ in sample] + [" ".join(annotation.identity) for annotation in judged],
        [label for _, label in sample] + [annotation.path[0].id for annotation in judged],
        judged=[False] * len(sample) + [True] * len(judged),
        neighbours=settings.neighbours,
    )


def _in_training(row: SnapshotRow, settings: PrepareParameters) -> bool:
    """Tell whether a product of the base is in train or validation, not in the test."""
    if row.test:
        return False
    return split_of(group_of(clean(row.labelled.product)), settings) != "test"


def _fold_new_categories(
    aggregated: AggregatedLabels, categories: CategoryIndex, settings: FeedbackParameters
) -> list[dict[str, Any]]:
    """Fold new categories with too few products into their ancestors; return all new categories."""
    counts: Counter[Path] = Counter()
    for label in aggregated.labels.values():
        for depth in range(1, len(label.path) + 1):
            if label.path[depth - 1].id not in categories.known:
                counts[label.path[:depth]] += 1
    for identity, label in list(aggregated.labels.items()):
        path = label.path
        while path and 0 < counts[path] < settings.new_category_products:
            path = path[:-1]
        if path:
            aggregated.labels[identity] = replace(label, path=path)
        else:
            why = "its category is new, has too few products yet, and has no known ancestor"
            aggregated.set_state(aggregated.labels.pop(identity).annotations, "held", why)
    return [
        {
            "path": [node.name for node in path],
            "products": count,
            "joined": count >= settings.new_category_products,
        }
        for path, count in sorted(counts.items(), key=lambda item: [node.id for node in item[0]])
    ]


def _rows(base: _Base, aggregated: AggregatedLabels, before: set[str]) -> Iterator[SnapshotRow]:
    for identity, row in zip(base.identities, base.rows, strict=True):
        yield replace(row, replaced=True) if identity in aggregated.labels else row
    for label in aggregated.labels.values():
        yield _row(label, before)


def _row(label: Label, before: set[str]) -> SnapshotRow:
    new = any(annotation.event.id not in before for annotation in label.annotations)
    labelled = LabelledProduct(label.latest.event.product, label.path, own_ids(label.path))
    return SnapshotRow(labelled, test=False, feedback="new" if new else "known")


def _event_facts(
    annotations: Iterable[Annotation], aggregated: AggregatedLabels
) -> list[dict[str, Any]]:
    """Return each event with its state as plain data, for the report."""
    annotated = {annotation.event.id: annotation for annotation in annotations}
    events = []
    for event_id, (state, why) in sorted(aggregated.states.items()):
        facts: dict[str, Any] = {"id": event_id, "state": state, "why": why}
        if event_id in annotated:
            event, path = annotated[event_id].event, annotated[event_id].path
            facts |= {
                "client": event.client,
                "received": event.received.isoformat(timespec="milliseconds"),
                "product": product_fields(event.product),
                "category": PATH_SEPARATOR.join(node.name for node in path),
                "note": event.note,
            }
        events.append(facts)
    return events


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
