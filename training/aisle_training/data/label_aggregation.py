"""Aggregate the labels that clients give into one label for each product.

A client's latest label counts, within its share of a class; a majority vote decides; labels that
look like one label for everything or like label errors are quarantined. No event is dropped: each
gets a state with a reason, and a reviewer may decide otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from aisle.feedback.event import product_fields
from aisle.identity import Identity
from aisle.product import PATH_SEPARATOR, Path
from aisle_training import parameters
from aisle_training.data.annotations import Annotation

State = Literal["accepted", "held", "quarantined", "outvoted", "replaced", "rejected", "unusable"]
LabelErrorFinder = Callable[[Sequence[Annotation]], Sequence[bool]]
"""Tells for each annotation whether its label is likely wrong."""


@dataclass(frozen=True, slots=True)
class Label:
    """The label that clients agree on, and the annotations that give it, the oldest first."""

    path: Path
    annotations: tuple[Annotation, ...]

    @property
    def latest(self) -> Annotation:
        """The most recent annotation."""
        return self.annotations[-1]

    @property
    def reviewed(self) -> bool:
        """Whether a reviewer accepted it."""
        return any(annotation.event.review == "accepted" for annotation in self.annotations)


@dataclass(frozen=True, slots=True)
class AggregatedLabels:
    """The label of each product, and the state of each event with its reason.

    `contradictions` lists the products to which clients give different categories.
    """

    labels: dict[Identity, Label] = field(default_factory=dict)
    states: dict[str, tuple[State, str]] = field(default_factory=dict)
    contradictions: list[dict[str, object]] = field(default_factory=list)

    def set_state(self, annotations: Iterable[Annotation], state: State, why: str) -> None:
        """Set the state of the annotations' events."""
        for annotation in annotations:
            self.states[annotation.event.id] = (state, why)


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of the products without the feedback.

    `labels` are the shop's, `class_sizes` its number of products in each category (by id),
    `predictions` the champion's.
    """

    labels: Mapping[Identity, Path]
    class_sizes: Mapping[str, int]
    predictions: Mapping[Identity, Path]


def aggregate(
    annotations: Sequence[Annotation],
    reference: Reference,
    settings: parameters.FeedbackParameters,
    *,
    find_errors: LabelErrorFinder,
) -> AggregatedLabels:
    """Aggregate annotations, which come oldest first.

    `find_errors` judges labels that neither a reviewer nor the shop confirms.
    """
    result = AggregatedLabels()
    left = _without_rejected_and_anonymous(annotations, result)
    left = _latest_of_each_client(left, result)
    left = _within_share(left, reference, settings, result)
    _vote(left, result)
    _one_label_for_everything(reference, settings, result)
    _label_errors(reference, find_errors, result)
    for label in result.labels.values():
        why = "a reviewer accepted it" if label.reviewed else ""
        result.set_state(label.annotations, "accepted", why)
    return result


def _without_rejected_and_anonymous(
    annotations: Sequence[Annotation], result: AggregatedLabels
) -> list[Annotation]:
    left = []
    for annotation in annotations:
        if annotation.event.review == "rejected":
            result.set_state([annotation], "rejected", "a reviewer rejected it")
        elif annotation.event.anonymous and annotation.event.review is None:
            result.set_state([annotation], "held", "the sender is anonymous")
        else:
            left.append(annotation)
    return left


def _latest_of_each_client(
    annotations: Sequence[Annotation], result: AggregatedLabels
) -> list[Annotation]:
    """Keep the latest annotation of each client for each product."""
    latest: dict[tuple[str, Identity], Annotation] = {}
    for annotation in annotations:
        key = (annotation.event.client, annotation.identity)
        earlier = latest.pop(key, None)
        if earlier is not None:
            result.set_state([earlier], "replaced", "the same client sent a later label")
        latest[key] = annotation
    return list(latest.values())


def _within_share(
    annotations: Sequence[Annotation],
    reference: Reference,
    settings: parameters.FeedbackParameters,
    result: AggregatedLabels,
) -> list[Annotation]:
    """Hold what a client moves into a class beyond its share of the class."""
    moved: Counter[tuple[str, str]] = Counter()
    left = []
    for annotation in annotations:
        event, category = annotation.event, annotation.path[-1].id
        shop_label = reference.labels.get(annotation.identity)
        if event.review == "accepted" or _same_category(shop_label, annotation.path):
            left.append(annotation)
            continue
        moved[event.client, category] += 1
        share = int(settings.client_share * reference.class_sizes.get(category, 0))
        most = max(settings.client_products, share)
        if moved[event.client, category] > most:
            why = f"the client moves more than {most} products into this category"
            result.set_state([annotation], "held", why)
        else:
            left.append(annotation)
    return left


def _vote(annotations: Sequence[Annotation], result: AggregatedLabels) -> None:
    """Label each product by majority vote of the clients; the latest vote breaks a tie.

    Where a reviewer accepted votes on a product, only those count.
    """
    votes_on: defaultdict[Identity, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        votes_on[annotation.identity].append(annotation)
    for identity, votes in votes_on.items():
        accepted = [vote for vote in votes if vote.event.review == "accepted"]
        counted = accepted or votes
        counts = Counter(vote.path for vote in counted)
        latest = {vote.path: position for position, vote in enumerate(counted)}
        winner = max(counts, key=lambda path: (counts[path], latest[path]))
        winners = tuple(vote for vote in votes if vote.path == winner)
        losers = [vote for vote in votes if vote.path != winner]
        result.labels[identity] = Label(winner, winners)
        if losers:
            why = (
                "a reviewer accepted another category"
                if accepted
                else "another category has more votes, or as many and the latest"
            )
            result.set_state(losers, "outvoted", f"{why}: {_text(winner)}")
            result.contradictions.append(
                {
                    "product": product_fields(winners[-1].event.product),
                    "votes": {_text(path): count for path, count in counts.items()},
                    "taken": _text(winner),
                }
            )


def _one_label_for_everything(
    reference: Reference, settings: parameters.FeedbackParameters, result: AggregatedLabels
) -> None:
    """Quarantine labels that move products of many categories into one, whichever clients do it."""
    moved_into: defaultdict[str, list[Identity]] = defaultdict(list)
    for identity, label in result.labels.items():
        if not label.reviewed and not _same_category(reference.labels.get(identity), label.path):
            moved_into[label.path[-1].id].append(identity)
    for moved in moved_into.values():
        sources = Counter(
            source[-1].id
            for identity in moved
            if (source := reference.predictions.get(identity) or reference.labels.get(identity))
        )
        spread = _effective_number(sources)
        if len(moved) >= settings.one_label_products and spread > settings.one_label_sources:
            why = f"{len(moved)} products of {len(sources)} categories get this same label"
            _quarantine(moved, result, why)


def _label_errors(
    reference: Reference, find_errors: LabelErrorFinder, result: AggregatedLabels
) -> None:
    """Quarantine likely label errors, except what a reviewer accepted or the shop says too."""
    identities = [
        identity
        for identity, label in result.labels.items()
        if not label.reviewed and not _same_category(reference.labels.get(identity), label.path)
    ]
    flags = find_errors([result.labels[identity].latest for identity in identities])
    errors = [identity for identity, wrong in zip(identities, flags, strict=True) if wrong]
    _quarantine(errors, result, "similar products are in another category")


def _quarantine(identities: Iterable[Identity], result: AggregatedLabels, why: str) -> None:
    for identity in identities:
        result.set_state(result.labels.pop(identity).annotations, "quarantined", why)


def _effective_number(counts: Mapping[str, int]) -> float:
    """Return the effective number of kinds: the exponential of the Shannon entropy (Hill 1973)."""
    if not counts:
        return 0.0
    shares = np.array(list(counts.values())) / sum(counts.values())
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _same_category(path: Path | None, other: Path) -> bool:
    return path is not None and path[-1].id == other[-1].id


def _text(path: Path) -> str:
    return PATH_SEPARATOR.join(node.name for node in path)
