"""How far feedback is believed: by whom it is said, by how many, and whether it can be true.

Nothing is dropped: every event ends in one state, with why, and a person may decide otherwise.
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
from aisle_training.data.said import Said

State = Literal["accepted", "held", "quarantined", "outvoted", "replaced", "rejected", "unusable"]
Judge = Callable[[Sequence[Said]], Sequence[bool]]
"""Tells which of the things said look wrong."""


@dataclass(frozen=True, slots=True)
class Label:
    """What people say that a product is; `said` are those who do, the latest last."""

    path: Path
    said: tuple[Said, ...]

    @property
    def latest(self) -> Said:
        """What was said last."""
        return self.said[-1]

    @property
    def reviewed(self) -> bool:
        """Whether a person accepted it."""
        return any(one.event.review == "accepted" for one in self.said)


@dataclass(frozen=True, slots=True)
class Settled:
    """A label for each product that people agree on, and the state of each event with why."""

    labels: dict[Identity, Label] = field(default_factory=dict)
    states: dict[str, tuple[State, str]] = field(default_factory=dict)
    contradictions: list[dict[str, object]] = field(default_factory=list)

    def put(self, said: Iterable[Said], state: State, why: str) -> None:
        """Give events a state."""
        for one in said:
            self.states[one.event.id] = (state, why)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the products without the feedback.

    `labels` are the shop's, `products` how many it has of each category (by id), `answers` what the
    champion says.
    """

    labels: Mapping[Identity, Path]
    products: Mapping[str, int]
    answers: Mapping[Identity, Path]


def settle(
    said: Sequence[Said],
    known: Known,
    settings: parameters.FeedbackParameters,
    *,
    looks_wrong: Judge,
) -> Settled:
    """Decide what to believe of all that was said, the oldest first."""
    settled = Settled()
    left = _reviewed_or_known(said, settled)
    left = _latest_of_each(left, settled)
    left = _within_share(left, known, settings, settled)
    _vote(left, settled)
    _one_label_for_everything(known, settings, settled)
    _improbable(settled, known, looks_wrong)
    for label in settled.labels.values():
        settled.put(label.said, "accepted", "a person accepted it" if label.reviewed else "")
    return settled


def _reviewed_or_known(said: Sequence[Said], settled: Settled) -> list[Said]:
    left = []
    for one in said:
        if one.event.review == "rejected":
            settled.put([one], "rejected", "a person rejected it")
        elif one.event.anonymous and one.event.review is None:
            settled.put([one], "held", "nobody knows who said it")
        else:
            left.append(one)
    return left


def _latest_of_each(said: Sequence[Said], settled: Settled) -> list[Said]:
    """Keep the last word of each client on each product."""
    latest: dict[tuple[str, Identity], Said] = {}
    for one in said:
        before = latest.pop((one.event.client, one.identity), None)
        if before is not None:
            settled.put([before], "replaced", "the same client said something later")
        latest[one.event.client, one.identity] = one
    return list(latest.values())


def _within_share(
    said: Sequence[Said], known: Known, settings: parameters.FeedbackParameters, settled: Settled
) -> list[Said]:
    """Hold what one client moves into a class beyond its share of it."""
    moved: Counter[tuple[str, str]] = Counter()
    left = []
    for one in said:
        own = one.path[-1].id
        if one.event.review == "accepted" or _same(known.labels.get(one.identity), one.path):
            left.append(one)
            continue
        moved[one.event.client, own] += 1
        share = int(settings.client_share * known.products.get(own, 0))
        most = max(settings.client_products, share)
        if moved[one.event.client, own] > most:
            settled.put([one], "held", f"one client moved more than {most} products there")
        else:
            left.append(one)
    return left


def _vote(said: Sequence[Said], settled: Settled) -> None:
    """Take for each product what most clients say, and what was said last where as many do.

    Where a person accepted something that was said of it, nothing else counts.
    """
    of: defaultdict[Identity, list[Said]] = defaultdict(list)
    for one in said:
        of[one.identity].append(one)
    for identity, votes in of.items():
        accepted = [one for one in votes if one.event.review == "accepted"]
        counted = accepted or votes
        counts = Counter(one.path for one in counted)
        last = {one.path: at for at, one in enumerate(counted)}
        winner = max(counts, key=lambda path: (counts[path], last[path]))
        ours = tuple(one for one in votes if one.path == winner)
        others = [one for one in votes if one.path != winner]
        settled.labels[identity] = Label(winner, ours)
        if others:
            why = "a person accepted another" if accepted else "more said, or last, another"
            settled.put(others, "outvoted", f"{why}: {_text(winner)}")
            settled.contradictions.append(
                {
                    "product": product_fields(ours[-1].event.product),
                    "votes": {_text(path): count for path, count in counts.items()},
                    "taken": _text(winner),
                }
            )


def _one_label_for_everything(
    known: Known, settings: parameters.FeedbackParameters, settled: Settled
) -> None:
    """Quarantine what moves products of all kinds into one category, whoever says it."""
    into: defaultdict[str, list[Identity]] = defaultdict(list)
    for identity, label in settled.labels.items():
        if not label.reviewed and not _same(known.labels.get(identity), label.path):
            into[label.path[-1].id].append(identity)
    for moved in into.values():
        sources = Counter(
            source[-1].id
            for identity in moved
            if (source := known.answers.get(identity) or known.labels.get(identity))
        )
        spread = _effective(sources)
        if len(moved) >= settings.one_label_products and spread > settings.one_label_sources:
            why = f"{len(moved)} products of {len(sources)} categories were given this one label"
            _quarantine(moved, settled, why)


def _improbable(settled: Settled, known: Known, looks_wrong: Judge) -> None:
    """Quarantine what products like these say cannot be."""
    identities = [
        identity
        for identity, label in settled.labels.items()
        if not label.reviewed and not _same(known.labels.get(identity), label.path)
    ]
    wrong = looks_wrong([settled.labels[identity].latest for identity in identities])
    found = [one for one, is_wrong in zip(identities, wrong, strict=True) if is_wrong]
    _quarantine(found, settled, "products like it are in another category")


def _quarantine(identities: Iterable[Identity], settled: Settled, why: str) -> None:
    for identity in identities:
        settled.put(settled.labels.pop(identity).said, "quarantined", why)


def _effective(counts: Mapping[str, int]) -> float:
    """Return the effective number of kinds: the exponential of the Shannon entropy (Hill 1973)."""
    if not counts:
        return 0.0
    shares = np.array(list(counts.values())) / sum(counts.values())
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _same(one: Path | None, other: Path) -> bool:
    return one is not None and one[-1].id == other[-1].id


def _text(path: Path) -> str:
    return PATH_SEPARATOR.join(node.name for node in path)
