"""A shop's categories as the model uses them: classes, their ancestors, and search by words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.normalize import words
from aisle.product import PATH_SEPARATOR, Category, Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A category that has products in the snapshot.

    `products` counts the snapshot's products with exactly this label; `label` is the number of the
    class that they are trained as: an ancestor's if there are too few of them, None if training
    used none of them.
    """

    path: Path
    products: int
    label: int | None


class Taxonomy:
    """The categories of a model, and which of them are its classes.

    `entries` are ordered by their path of ids; `classes` are the paths of the model's labels, in
    label order (by path of ids); `nodes` are all distinct prefixes of these paths, parents before
    children. `ancestors`, int64 (classes, depth), has the nodes on each class's path, root first,
    padded with -1; `ends`, int64 (classes,), the last node of each class's path; `above` the
    classes that end on each class's path, including itself.
    """

    def __init__(self, classes: Sequence[Path], entries: Iterable[Entry]) -> None:
        self.classes = tuple(sorted(classes, key=_ids))
        self.entries = tuple(sorted(entries, key=lambda entry: _ids(entry.path)))
        prefixes = {path[: depth + 1] for path in self.classes for depth in range(len(path))}
        self.nodes = tuple(sorted(prefixes, key=_ids))
        self._number = {path: number for number, path in enumerate(self.nodes)}
        self.depth = max(map(len, self.classes))
        self._words = [frozenset(words(_names(entry.path))) for entry in self.entries]

        # Row c: the nodes on the path of class c; padded with -1.
        self.ancestors = np.full((len(self.classes), self.depth), -1, np.int64)
        for label, path in enumerate(self.classes):
            for depth in range(len(path)):
                self.ancestors[label, depth] = self._number[path[: depth + 1]]
        lengths = [len(path) for path in self.classes]
        self.ends = self.ancestors[np.arange(len(lengths)), np.array(lengths) - 1]
        class_of = {int(node): label for label, node in enumerate(self.ends)}
        self.above = tuple(
            [class_of[node] for node in nodes if node in class_of]
            for nodes in self.ancestors.tolist()
        )
        # Classes are ordered by path, so the classes below a node are a range: [first, last).
        self._first = np.full(len(self.nodes), len(self.classes), np.int64)
        self._last = np.zeros(len(self.nodes), np.int64)
        for label, nodes in enumerate(self.ancestors):
            on_path = nodes[nodes >= 0]
            self._first[on_path] = np.minimum(self._first[on_path], label)
            self._last[on_path] = label + 1

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; raise BundleError for anything else."""
        try:
            entries = [
                Entry(
                    tuple(Category(node["id"], node["name"]) for node in item["path"]),
                    item["products"],
                    item["label"],
                )
                for item in data["categories"]
            ]
            classes = [
                tuple(Category(node["id"], node["name"]) for node in path)
                for path in data["classes"]
            ]
            _check(classes, entries)
            return cls(classes, entries)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"The bundle's categories cannot be read: {error!r}. Expected lists of classes and "
                "categories. Export the model again."
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Return plain data; equal taxonomies give equal data."""
        return {
            "classes": [_plain(path) for path in self.classes],
            "categories": [
                {"path": _plain(entry.path), "products": entry.products, "label": entry.label}
                for entry in self.entries
            ],
        }

    def roll_up(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum class probabilities (n, classes) over the classes below each node: (n, nodes)."""
        running = np.zeros((len(probabilities), len(self.classes) + 1))
        np.cumsum(probabilities, axis=1, out=running[:, 1:])
        rolled = running[:, self._last] - running[:, self._first]
        return np.clip(rolled, 0, 1).astype(np.float32)

    def classes_below(
        self, nodes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first class below each node, and the class after the last one."""
        return self._first[nodes], self._last[nodes]

    def search(self, query: str) -> list[Entry]:
        """Return the entries whose path has every word of the query; the last may be a prefix.

        Matches in the category's own name come before matches in its ancestors, then categories
        with more products before those with fewer.
        """
        query_words = words(query)
        if not query_words:
            return sorted(self.entries, key=lambda entry: -entry.products)
        complete, prefix = query_words[:-1], "".join(query_words[-1:])
        matches: list[tuple[int, int, int]] = []
        for number, (entry, path_words) in enumerate(zip(self.entries, self._words, strict=True)):
            if path_words.issuperset(complete) and any(
                word.startswith(prefix) for word in path_words
            ):
                own_words = words(entry.path[-1].name)
                hits = sum(
                    any(word.startswith(query_word) for word in own_words)
                    for query_word in query_words
                )
                matches.append((-hits, -entry.products, number))
        return [self.entries[number] for *_, number in sorted(matches)]


def _check(classes: Sequence[Path], entries: Sequence[Entry]) -> None:
    """Raise TypeError or ValueError if a taxonomy is not as `to_json` writes it."""
    paths = [*classes, *(entry.path for entry in entries)]
    if not all(paths) or not all(
        isinstance(text, str) for path in paths for node in path for text in (node.id, node.name)
    ):
        raise TypeError("a category has no path, or an id or name that is not a text")
    ids = [_ids(path) for path in classes]
    if ids != sorted(set(ids)):
        raise ValueError("the classes are not distinct and in order")
    for entry in entries:
        if type(entry.products) is not int or entry.products < 0:
            raise TypeError(f"{entry.products!r} is not a number of products")
        if entry.label is not None and not (
            type(entry.label) is int and 0 <= entry.label < len(classes)
        ):
            raise ValueError(f"{entry.label!r} is not the number of a class")


def _ids(path: Path) -> tuple[str, ...]:
    return tuple(node.id for node in path)


def _names(path: Path) -> str:
    return PATH_SEPARATOR.join(node.name for node in path)


def _plain(path: Path) -> list[dict[str, str]]:
    return [{"id": node.id, "name": node.name} for node in path]
