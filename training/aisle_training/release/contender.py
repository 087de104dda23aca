"""A bundle before the gate, the new one or the one that serves: what is made of it, made once."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from aisle.model import bundle
from aisle.model.bundle import Bundle
from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.store import Store
from aisle_training.data.prepare import Example
from aisle_training.release import measure
from aisle_training.release.measure import Answers, Folding


class Contender:
    """A bundle with its classifier, and what that answers of labelled products.

    Each is made when it is first asked for. Raises BundleError where the bundle's files do not fit
    together.
    """

    def __init__(self, whole: Bundle, classifier: Classifier | None = None) -> None:
        self.bundle = whole
        self._given = classifier
        # With the rows, so that their `id` stays theirs.
        self._answers: dict[int, tuple[Sequence[Example], Answers]] = {}

    @property
    def version(self) -> str:
        """The version of the model."""
        return self.bundle.manifest.model_version

    @cached_property
    def classifier(self) -> Classifier:
        """What answers by the bundle."""
        return self._given or Classifier(self.bundle)

    @cached_property
    def folding(self) -> Folding:
        """How answers are folded in the published protocol."""
        return Folding(self.classifier.taxonomy)

    def answers(self, rows: Sequence[Example]) -> Answers:
        """Return what it says of labelled products; asked again of the same, it looks it up."""
        if id(rows) not in self._answers:
            found = measure.answers(self.classifier, rows, folding=self.folding)
            self._answers[id(rows)] = (rows, found)
        return self._answers[id(rows)][1]

    def describe(self, files: Mapping[str, bytes]) -> None:
        """Have the bundle tell of itself, which changes no answer."""
        self.bundle = bundle.describe(self.bundle, files)


def fetch_contender(store: Store, version: str) -> Contender:
    """Load a published model; raise BundleError where it cannot be read."""
    whole = bundles.fetch_bundle(store, version)
    return Contender(whole, Classifier(whole))
