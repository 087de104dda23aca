"""A bundle at the gate, challenger or champion, with its predictions, computed only once."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from aisle.model.bundle import Bundle, describe
from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.store import Store
from aisle_training.data.prepare import Example
from aisle_training.release import measure
from aisle_training.release.measure import Answers, Folding


class Contender:
    """A bundle with its classifier and its answers for labelled products, each made on first use.

    Raises BundleError where the bundle's files do not fit together.
    """

    def __init__(self, bundle: Bundle, classifier: Classifier | None = None) -> None:
        self.bundle = bundle
        self._loaded = classifier
        # Keeps the rows too, so that no other object gets their `id`.
        self._answers: dict[int, tuple[Sequence[Example], Answers]] = {}

    @property
    def version(self) -> str:
        """The version of the model."""
        return self.bundle.manifest.model_version

    @cached_property
    def classifier(self) -> Classifier:
        """The classifier that the bundle describes."""
        return self._loaded or Classifier(self.bundle)

    @cached_property
    def folding(self) -> Folding:
        """The folding of rare categories in the published protocol."""
        return Folding(self.classifier.taxonomy)

    def answers(self, rows: Sequence[Example]) -> Answers:
        """Return the answers for labelled products, from a cache where they are known."""
        if id(rows) not in self._answers:
            answers = measure.answers(self.classifier, rows, folding=self.folding)
            self._answers[id(rows)] = (rows, answers)
        return self._answers[id(rows)][1]

    def describe(self, files: Mapping[str, bytes]) -> None:
        """Add descriptive files to the bundle, which change no answer."""
        self.bundle = describe(self.bundle, files)


def fetch_contender(store: Store, version: str) -> Contender:
    """Load a published model; raise BundleError where it cannot be read."""
    bundle = bundles.fetch_bundle(store, version)
    return Contender(bundle, Classifier(bundle))
