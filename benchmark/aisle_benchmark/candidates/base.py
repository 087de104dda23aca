"""What a candidate is: fit on a fold's training products, then give probabilities."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from aisle.catalogue.products import LabelledProduct
from aisle.product import Product
from aisle_benchmark.candidates.features import Shared


@dataclass(frozen=True, slots=True)
class Training:
    """The training products of a fold, with the fields that the inputs allow.

    `labels` int64 (products,) are class numbers, each from 0 to the largest at least once; `names`
    the id of the class that each number means; `rows` the same products with their whole paths;
    `groups` keep variants of a product together; `prepared` the rows of what `prepare` returned.
    """

    rows: Sequence[LabelledProduct]
    labels: NDArray[np.int64]
    names: Sequence[str]
    groups: Sequence[str]
    shared: Shared
    table: str
    prepared: Any = None

    @property
    def products(self) -> Sequence[Product]:
        """The products, in order."""
        return self.shared.products

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.labels.max()) + 1


class Fitted(Protocol):
    """A trained candidate."""

    def predict_proba(self, products: Sequence[Product]) -> NDArray[Any]:
        """Return the probability of every class: (products, classes)."""

    def size_bytes(self) -> int:
        """Return how large it is when serialised."""


class Candidate(ABC):
    """Something to choose: a name, what it needs, its parameters, and how to fit it.

    Subclasses are frozen dataclasses, their fields the parameters. Raise `version` where the code
    changes what comes out: results of another version are not taken for this one's.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is asked for by, and called in tables and pictures."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is called in the report, as Markdown."""

    packages: ClassVar[dict[str, str]] = {}
    """What has to be installed: the name to import, and the distribution's."""
    install: ClassVar[str] = "make research"
    """The command that installs them."""
    version: ClassVar[int] = 1
    seconds: ClassVar[float] = 20.0
    """About what a fold of 9,000 products takes, for all tables of one input."""
    all_cores: ClassVar[bool] = False
    """Whether it may take all cores and talks of its progress itself: for what takes long."""
    waits: ClassVar[bool] = False
    """Whether it may wait for another machine: its times are then the wall clock's."""
    prepares: ClassVar[bool] = False
    """Whether `prepare` has something to do."""
    members: ClassVar[tuple[str, ...]] = ()
    """The candidates whose results it is made of, where it trains nothing itself."""

    def identity(self) -> dict[str, Any]:
        """Return what makes its results its own, as plain data."""
        return {
            "name": self.name,
            "version": self.version,
            "parameters": asdict(self),  # type: ignore[call-overload]  # subclasses are dataclasses
            "packages": {one: _version(one) for one in sorted(self.packages.values())},
        }

    def prepare(self, products: Sequence[Product]) -> Any:  # noqa: ANN401, ARG002  # any array
        """Do what takes long, needs no label and serves all folds; return an array of the rows."""
        return None

    def missing(self) -> list[str]:
        """Return the distributions that would have to be installed."""
        return [name for module, name in self.packages.items() if find_spec(module) is None]


class FoldedEarly(Candidate):
    """A candidate that is fitted anew for every table."""

    @abstractmethod
    def fit(self, training: Training) -> Fitted:
        """Fit on a fold's training products."""

    def score(
        self,
        fitted: Fitted,
        products: Sequence[Product],
        prepared: Any,  # noqa: ANN401, ARG002  # for those that prepare something
    ) -> NDArray[Any]:
        """Return the test products' probabilities: (products, classes)."""
        return fitted.predict_proba(products)


class FoldedLate(Candidate):
    """A candidate that learns fine categories once, which every table then folds."""

    @abstractmethod
    def fit(self, training: Training) -> tuple[Fitted, list[str]]:
        """Fit on a fold's training products; return it with its classes' labels (`label_of`)."""

    def extras(
        self,
        fitted: Fitted,  # noqa: ARG002  # for those that have more to tell
        test: Sequence[LabelledProduct],  # noqa: ARG002
    ) -> dict[str, NDArray[Any]]:
        """Return further arrays about the test products, row by row."""
        return {}


class Vectorizer(Protocol):
    """Products in, a matrix out."""

    def transform(self, products: Sequence[Product]) -> Any:  # noqa: ANN401  # sparse or dense
        """Return the products' features."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Features and a classifier with scikit-learn's `predict_proba`."""

    features: Vectorizer
    model: Any

    def predict_proba(self, products: Sequence[Product]) -> NDArray[Any]:
        """Return the probability of every class: (products, classes)."""
        return np.asarray(self.model.predict_proba(self.features.transform(products)))

    def size_bytes(self) -> int:
        """Return the size of its pickle."""
        return len(pickle.dumps(self))


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
