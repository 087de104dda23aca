"""A shop's categories as the model sees them: classes, their ancestors, and search by words."""

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
    """A category that products were seen in.

    `products` counts the snapshot's products labelled exactly so; `label` is the number of the
    class that such products are trained as, an ancestor's where they are too few, None where the
    model saw none.
    """

    path: Path
    products: int
    label: int | None


class Taxonomy:
    """The categories of a model, and which of them are its classes.

    `entries` are ordered by their path of ids; `classes` are the paths of the model's labels, in
    label order (by path of ids); `nodes` all distinct prefixes of these paths, a parent before its
    children. `ancestors` int64 (classes, depth) are the nodes on each class's path, root first, -1
    past its end; `ends` int64 (classes,) the node that each class ends in; `above` the classes that
    end on each class's path, itself among them.
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
        # Classes are ordered by path, so a node's classes stand side by side: [first, last).
        self._first = np.full(len(self.nodes), len(self.classes), np.int64)
        self._last = np.zeros(len(self.nodes), np.int64)
        for label, nodes in enumerate(self.ancestors):
            mine = nodes[nodes >= 0]
            self._first[mine] = np.minimum(self._first[mine], label)
            self._last[mine] = label + 1

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; raise BundleError where it is something else."""
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
            return cls(classes, entries)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"The bundle's categories cannot be read: {error!r} was met where a list of "
                "classes and categories was expected. Export the model again."
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Return plain data, the same for the same taxonomy."""
        return {
            "classes": [_plain(path) for path in self.classes],
            "categories": [
                {"path": _plain(entry.path), "products": entry.products, "label": entry.label}
                for entry in self.entries
            ],
        }

    def roll_up(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum class probabilities (n, classes) up to every node; float32 (n, nodes)."""
        running = np.zeros((len(probabilities), len(self.classes) + 1))
        np.cumsum(probabilities, axis=1, out=running[:, 1:])
        rolled = running[:, self._last] - running[:, self._first]
        return np.clip(rolled, 0, 1).astype(np.float32)

    def search(self, query: str) -> list[Entry]:
        """Return the entries whose path has every word of the query (the last one may be begun).

        Best first: a match in the category's own name before one in its ancestors, then the
        categories with more products.
        """
        wanted = words(query)
        if not wanted:
            return sorted(self.entries, key=lambda entry: -entry.products)
        whole, begun = wanted[:-1], "".join(wanted[-1:])
        found: list[tuple[int, int, int]] = []
        for number, (entry, known) in enumerate(zip(self.entries, self._words, strict=True)):
            if known.issuperset(whole) and any(word.startswith(begun) for word in known):
                own = words(entry.path[-1].name)
                hits = sum(any(word.startswith(one) for word in own) for one in wanted)
                found.append((-hits, -entry.products, number))
        return [self.entries[number] for *_, number in sorted(found)]


def _ids(path: Path) -> tuple[str, ...]:
    return tuple(node.id for node in path)


def _names(path: Path) -> str:
    return PATH_SEPARATOR.join(node.name for node in path)


def _plain(path: Path) -> list[dict[str, str]]:
    return [{"id": node.id, "name": node.name} for node in path]
