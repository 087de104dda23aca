"""Feedback events, as they are kept -> what was said of which product, by whom."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from aisle.access import scopes
from aisle.errors import AisleError, BundleError
from aisle.feedback.count import Key, product_key
from aisle.identity import prediction_id
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.normalize import normalize
from aisle.product import PATH_SEPARATOR, Category, Path, Product
from aisle.progress import say
from aisle.registry import audit, bundles
from aisle.registry.pointer import read_pointer
from aisle.store import Store, layout

_READERS: Final = 16  # at once: an object takes S3 some 30 ms, however small


@dataclass(frozen=True, slots=True)
class Event:
    """A feedback event as it is kept; `review` is what a person decided of it, if anything."""

    id: str
    content: dict[str, Any]
    review: str | None

    @property
    def product(self) -> Product:
        """The product as typed."""
        return Product(**self.content["product"])

    @property
    def client(self) -> str:
        """Who said it."""
        return str(self.content["client"])

    @property
    def received(self) -> str:
        """When, ISO 8601, UTC: later is greater."""
        return str(self.content["received"])

    @property
    def anonymous(self) -> bool:
        """Whether nobody knows who said it."""
        return self.client == scopes.SITE or bool(self.content.get("held_for_review"))


@dataclass(frozen=True, slots=True)
class Said:
    """An event that says of a product which category is right."""

    event: Event
    key: Key
    path: Path


def read_events(store: Store) -> tuple[list[Event], dict[str, str]]:
    """Return all events, the oldest first, and the ids of those that cannot be used with why."""
    reviews = dict(_reviews(store))
    events, unusable = [], {}
    for key, data in _contents(store, layout.feedback_prefix()):
        own = key.rpartition("/")[2].removesuffix(".json")
        try:
            event = Event(own, json.loads(data), reviews.get(own))
            # Each is looked at once, here, so that nothing later meets a surprise.
            _ = event.product, event.client, event.received
        except (ValueError, KeyError, TypeError) as error:
            unusable[own] = f"it cannot be read: {error!r}"
        else:
            events.append(event)
    return sorted(events, key=lambda event: (event.received, event.id)), unusable


class Shelves:
    """The categories that feedback may name: those of the base, and new ones as they come up."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_id: dict[str, Path] = {}
        self._by_names: dict[tuple[str, ...], Path] = {}
        for path in paths:
            self._add(path)
        self.known = frozenset(self._by_id)

    def find(self, own: str | None, names: list[str] | None) -> Path | None:
        """Return the path of a category given by id, by its names, or by both; None for an id only.

        A path that nobody knows yet branches off where it leaves the known ones.
        """
        if own is not None and own in self._by_id:
            return self._by_id[own]
        if names is None:
            return None
        spelled = tuple(normalize(name) or name.strip() for name in names)
        if spelled in self._by_names:
            return self._by_names[spelled]
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            found = self._by_names.get(spelled[:depth])
            last = own if depth == len(names) else None
            path = found or (*path, Category(last or _joined(path, name), name.strip()))
        self._add(path)
        return path

    def _add(self, path: Path) -> None:
        for depth in range(1, len(path) + 1):
            part = path[:depth]
            self._by_id.setdefault(part[-1].id, part)
            self._by_names.setdefault(tuple(normalize(node.name) for node in part), part)


def read_said(
    store: Store, events: Iterable[Event], shelves: Shelves
) -> tuple[list[Said], dict[str, str]]:
    """Return what the events say, and the ids of those that say nothing usable with why."""
    models = _Models(store)
    said, unusable = [], {}
    for event in events:
        try:
            path = _path(event, shelves, models)
        except (KeyError, TypeError, AttributeError) as error:
            unusable[event.id] = f"it cannot be read: {error!r}"
            continue
        if isinstance(path, str):
            unusable[event.id] = path
        else:
            said.append(Said(event, product_key(event.product), path))
    return said, unusable


def _path(event: Event, shelves: Shelves, models: "_Models") -> Path | str:
    """Return the path that an event names, or why there is none."""
    if not any(product_key(event.product)):
        return "its product has no letter or digit in its text"
    category = event.content.get("category")
    if category is None:
        return models.predicted(event) or "it confirms the answer of a model that is not here"
    found = shelves.find(category.get("id"), category.get("path"))
    return found or f"no category has the id {category.get('id')!r}; its path was not given"


class _Models:
    """What models answered: a confirmation names a prediction, which is kept nowhere."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._load = cache(self._classifier)
        self._packaged = bundle.read(bundle.PACKAGED).manifest.model_version
        published = [one.version for one in audit.history(store) if one.event != "refused"]
        versions = [*reversed(published), *self._pointed_to(), self._packaged]
        self._versions = list(dict.fromkeys(versions))

    def predicted(self, event: Event) -> Path | None:
        """Return the path that an event confirms; None where no model here gave that answer."""
        product = event.product
        for version in self._versions:
            if prediction_id(product, version) == event.content.get("prediction_id"):
                classifier = self._load(version)
                if classifier is None:
                    return None
                (found,) = classifier.predict([product], top_k=0, explain=False)
                return found.category.path
        return None

    def _pointed_to(self) -> list[str]:
        try:
            found = read_pointer(self._store)
        except BundleError:
            return []
        return [found[0].version] if found else []

    def _classifier(self, version: str) -> Classifier | None:
        try:
            if version == self._packaged:
                return Classifier(bundle.read(bundle.PACKAGED))
            return Classifier(bundles.fetch_bundle(self._store, version))
        except AisleError as error:
            say(f"What model {version} answered cannot be told: {error}")
            return None


def _reviews(store: Store) -> Iterator[tuple[str, str]]:
    for _, data in _contents(store, layout.reviews_prefix()):
        decision = json.loads(data)
        yield decision["event"], decision["decision"]


def _contents(store: Store, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Read all objects below a prefix, many at once."""
    names = list(store.list(prefix))
    with ThreadPoolExecutor(_READERS) as pool:
        yield from zip(names, (found.data for found in pool.map(store.get, names)), strict=True)


def _joined(path: Path, name: str) -> str:
    return PATH_SEPARATOR.join([*(node.name for node in path), name.strip()])
