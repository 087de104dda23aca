"""Which linear SVMs a taxonomy needs, and how their margins make a class's score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.taxonomy import Taxonomy

ClassSet = tuple[int, ...]
"""The classes below a node, ascending: what its SVM separates from the rest."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The SVMs of a taxonomy, one per distinct class set, and the slots of each class.

    A class has a slot for each level, root first, and a last one for its own SVM. Its score is the
    weighted sum of the margins of the SVMs `slots` int64 (classes, slots), where `used` bool
    (classes, slots).
    """

    class_sets: tuple[ClassSet, ...]
    slots: NDArray[np.int64]
    used: NDArray[np.bool_]

    def margins(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """Spread the SVMs' margins (products, svms) over (products, classes, slots)."""
        return np.where(self.used, margins[:, self.slots], np.float32(0))

    def scores(
        self, margins: NDArray[np.float32], level_weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return class scores (products, classes) from the SVMs' margins (products, svms)."""
        return class_scores(margins, self.slots, self.used * level_weights)


def structure(taxonomy: Taxonomy) -> Structure:
    """Return the SVMs of a taxonomy: one for each distinct set of classes below a node.

    Below its own level a class repeats its own SVM, so that all classes use all slots. A node
    above all classes separates nothing and has no SVM.
    """
    size = len(taxonomy.classes)
    below: dict[int, list[int]] = {}
    for label, nodes in enumerate(taxonomy.ancestors):
        for node in nodes[nodes >= 0]:
            below.setdefault(int(node), []).append(label)
    numbers: dict[ClassSet, int] = {}
    slots = np.zeros((size, taxonomy.depth + 1), np.int64)
    used = np.zeros(slots.shape, np.bool_)
    for label, nodes in enumerate(taxonomy.ancestors):
        own = (label,)
        chain = [tuple(below[int(node)]) if node >= 0 else own for node in nodes]
        for slot, class_set in enumerate([*chain, own]):
            if len(class_set) < size:
                slots[label, slot] = numbers.setdefault(class_set, len(numbers))
                used[label, slot] = True
    return Structure(tuple(numbers), slots, used)


def class_scores(
    margins: NDArray[np.float32], slots: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return class scores (products, classes) from the SVMs' margins (products, svms)."""
    scores = np.zeros((len(margins), len(slots)), np.float32)
    for slot in range(slots.shape[1]):
        scores += margins[:, slots[:, slot]] * weights[:, slot]
    return scores
