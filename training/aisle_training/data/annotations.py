"""Resolve feedback events to annotations: which client gives which product which category."""

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
class Annotation:
    """An event with the product that it labels and the path that it gives it."""

    event: FeedbackEvent
    identity: Identity
    path: Path


class CategoryIndex:
    """The categories that feedback may name: those of the base snapshot, and new ones as they come.

    `known` are the ids of the former.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_id: dict[str, Path] = {}
        self._by_names: dict[tuple[str, ...], Path] = {}
        for path in paths:
            self._add(path)
        self.known = frozenset(self._by_id)

    def find(self, category_id: str | None, names: Sequence[str] | None) -> Path | None:
        """Return the path of the category with this id, these names or both.

        A new path branches off the known one that it shares most of its names with, and is added.
        None for an unknown id without names.
        """
        if category_id is not None and category_id in self._by_id:
            return self._by_id[category_id]
        if names is None:
            return None
        spelling = spelled(names)
        if spelling in self._by_names:
            return self._by_names[spelling]
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            known = self._by_names.get(spelling[:depth])
            last = category_id if depth == len(names) else None
            path = known or (*path, Category(last or _joined(path, name), name.strip()))
        self._add(path)
        return path

    def _add(self, path: Path) -> None:
        for depth in range(1, len(path) + 1):
            part = path[:depth]
            self._by_id.setdefault(part[-1].id, part)
            self._by_names.setdefault(spelled(node.name for node in part), part)


def read_annotations(
    store: Store,
    events: Iterable[FeedbackEvent],
    categories: CategoryIndex,
    known_model: Callable[[str], Classifier],
) -> tuple[list[Annotation], dict[str, str]]:
    """Return the annotations of all usable events, and the reason for each unusable one, by id.

    `known_model` returns the model of a version, or raises AisleError.
    """
    models = _Models(store, known_model)
    annotations, unusable = [], {}
    for event in events:
        path = _path(event, categories, models)
        if isinstance(path, str):
            unusable[event.id] = path
        else:
            annotations.append(Annotation(event, product_identity(event.product), path))
    return annotations, unusable


def _path(event: FeedbackEvent, categories: CategoryIndex, models: "_Models") -> Path | str:
    """Return the path that an event names, or why it names none."""
    if not any(product_identity(event.product)):
        return "the product's texts have no letter or digit"
    category = event.category
    if category is None:
        confirmed = models.predicted(event)
        return confirmed or "it confirms a prediction of a model that this store does not have"
    path = categories.find(category.id, category.path)
    return path or f"no category has the id {category.id!r}, and no path was given"


class _Models:
    """The models that may have made a confirmed prediction.

    Predictions are not stored, so a confirmed one is computed again.
    """

    def __init__(self, store: Store, known_model: Callable[[str], Classifier]) -> None:
        self._store = store
        self._known_model = known_model
        self._load = cache(self._classifier)
        published = [entry.version for entry in audit.history(store) if entry.event != "refused"]
        versions = [*reversed(published), *self._pointed_to(), packaged_version()]
        self._versions = list(dict.fromkeys(versions))

    def predicted(self, event: FeedbackEvent) -> Path | None:
        """Return the path that an event confirms; None where no model here made the prediction."""
        product = event.product
        for version in self._versions:
            if prediction_id(product, version) == event.prediction_id:
                classifier = self._load(version)
                if classifier is None:
                    return None
                (prediction,) = classifier.predict([product], top_k=0, explain=False)
                return prediction.category.path
        return None

    def _pointed_to(self) -> list[str]:
        try:
            current = read_pointer(self._store)
        except BundleError:
            return []
        return [current[0].version] if current else []

    def _classifier(self, version: str) -> Classifier | None:
        try:
            return self._known_model(version)
        except AisleError as error:
            say(f"Confirmations of model {version} cannot be used: {error}")
            return None


def _joined(path: Path, name: str) -> str:
    return PATH_SEPARATOR.join([*(node.name for node in path), name.strip()])
