"""Feedback events -> what was said of which product, by whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from aisle.errors import AisleError, BundleError
from aisle.feedback.event import FeedbackEvent, spelled
from aisle.identity import Identity, prediction_id, product_identity
from aisle.model.classifier import Classifier
from aisle.product import PATH_SEPARATOR, Category, Path
from aisle.progress import say
from aisle.registry import audit
from aisle.registry.pointer import read_pointer
from aisle.registry.reports import packaged_version
from aisle.store import Store


@dataclass(frozen=True, slots=True)
class Said:
    """An event that says of a product which category is right."""

    event: FeedbackEvent
    identity: Identity
    path: Path


class Shelves:
    """The categories that feedback may name: those of the base, and new ones as they come up."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_id: dict[str, Path] = {}
        self._by_names: dict[tuple[str, ...], Path] = {}
        for path in paths:
            self._add(path)
        self.known = frozenset(self._by_id)

    def find(self, own: str | None, names: Sequence[str] | None) -> Path | None:
        """Return the path of a category given by id, by its names, or by both; None for an id only.

        A path that nobody knows yet branches off where it leaves the known ones.
        """
        if own is not None and own in self._by_id:
            return self._by_id[own]
        if names is None:
            return None
        known_as = spelled(names)
        if known_as in self._by_names:
            return self._by_names[known_as]
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            found = self._by_names.get(known_as[:depth])
            last = own if depth == len(names) else None
            path = found or (*path, Category(last or _joined(path, name), name.strip()))
        self._add(path)
        return path

    def _add(self, path: Path) -> None:
        for depth in range(1, len(path) + 1):
            part = path[:depth]
            self._by_id.setdefault(part[-1].id, part)
            self._by_names.setdefault(spelled(node.name for node in part), part)


def read_said(
    store: Store,
    events: Iterable[FeedbackEvent],
    shelves: Shelves,
    known_model: Callable[[str], Classifier],
) -> tuple[list[Said], dict[str, str]]:
    """Return what the events say, and the ids of those that say nothing usable with why.

    `known_model` gives the model of a version, or raises AisleError.
    """
    models = _Models(store, known_model)
    said, unusable = [], {}
    for event in events:
        path = _path(event, shelves, models)
        if isinstance(path, str):
            unusable[event.id] = path
        else:
            said.append(Said(event, product_identity(event.product), path))
    return said, unusable


def _path(event: FeedbackEvent, shelves: Shelves, models: "_Models") -> Path | str:
    """Return the path that an event names, or why there is none."""
    if not any(product_identity(event.product)):
        return "its product has no letter or digit in its text"
    category = event.category
    if category is None:
        return models.predicted(event) or "it confirms the answer of a model that is not here"
    path = shelves.find(category.id, category.path)
    return path or f"no category has the id {category.id!r}; its path was not given"


class _Models:
    """What models answered: a confirmation names a prediction, which is kept nowhere."""

    def __init__(self, store: Store, known_model: Callable[[str], Classifier]) -> None:
        self._store = store
        self._known_model = known_model
        self._load = cache(self._classifier)
        published = [one.version for one in audit.history(store) if one.event != "refused"]
        versions = [*reversed(published), *self._pointed_to(), packaged_version()]
        self._versions = list(dict.fromkeys(versions))

    def predicted(self, event: FeedbackEvent) -> Path | None:
        """Return the path that an event confirms; None where no model here gave that answer."""
        product = event.product
        for version in self._versions:
            if prediction_id(product, version) == event.prediction_id:
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
            return self._known_model(version)
        except AisleError as error:
            say(f"What model {version} answered cannot be told: {error}")
            return None


def _joined(path: Path, name: str) -> str:
    return PATH_SEPARATOR.join([*(node.name for node in path), name.strip()])
