"""The interface of candidates: fit on a fold's training products, then predict probabilities."""

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

    `labels` int64 (products,) are class indices from 0, without gaps; `names` has the class id of
    each index; `rows` the same products with their full paths; `groups` is the same for variants of
    one product; `prepared` has the rows of what `prepare` returned.
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
        """The number of classes."""
        return int(self.labels.max()) + 1


class Fitted(Protocol):
    """A trained candidate."""

    def predict_proba(self, products: Sequence[Product]) -> NDArray[Any]:
        """Return the probability of every class: (products, classes)."""

    def size_bytes(self) -> int:
        """Return its serialised size."""


class Candidate(ABC):
    """A model to compare: its name, its packages, its parameters, and how to fit it.

    Subclasses are frozen dataclasses whose fields are the parameters. Raise `version` when a change
    of the code changes the results: results of other versions are ignored.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name in options, tables and charts."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Its title in the report, as Markdown."""

    packages: ClassVar[dict[str, str]] = {}
    """The packages it needs: names to import and distributions."""
    install: ClassVar[str] = "make research"
    """The command that installs them."""
    version: ClassVar[int] = 1
    seconds: ClassVar[float] = 20.0
    """The approximate seconds of a fold of 9,000 products, for all tables of one input."""
    all_cores: ClassVar[bool] = False
    """Whether it may use all cores and reports its own progress, because it takes long."""
    waits: ClassVar[bool] = False
    """Whether it may wait for another machine, so that its times are wall-clock times."""
    prepares: ClassVar[bool] = False
    """Whether it implements `prepare`."""
    members: ClassVar[tuple[str, ...]] = ()
    """The candidates whose results it averages, if it trains nothing itself."""

    def identity(self) -> dict[str, Any]:
        """Return everything that its results depend on, as plain data."""
        return {
            "name": self.name,
            "version": self.version,
            "parameters": asdict(self),  # type: ignore[call-overload]  # subclasses are dataclasses
            "packages": {package: _version(package) for package in sorted(self.packages.values())},
        }

    def prepare(self, products: Sequence[Product]) -> Any:  # noqa: ANN401, ARG002  # any array
        """Do slow work that needs no labels, once for all folds; return an array of the rows."""
        return None

    def missing(self) -> list[str]:
        """Return the distributions that are not installed."""
        return [name for module, name in self.packages.items() if find_spec(module) is None]


class FoldedEarly(Candidate):
    """A candidate that is fitted separately for each table."""

    @abstractmethod
    def fit(self, training: Training) -> Fitted:
        """Fit on a fold's training products."""

    def score(
        self,
        fitted: Fitted,
        products: Sequence[Product],
        prepared: Any,  # noqa: ANN401, ARG002  # for candidates with `prepare`
    ) -> NDArray[Any]:
        """Return the test products' probabilities: (products, classes)."""
        return fitted.predict_proba(products)


class FoldedLate(Candidate):
    """A candidate that learns fine categories once; each table then folds its probabilities."""

    @abstractmethod
    def fit(self, training: Training) -> tuple[Fitted, list[str]]:
        """Fit on a fold's training products; return the model and its labels (see `label_of`)."""

    def extras(
        self,
        fitted: Fitted,  # noqa: ARG002  # for candidates with extras
        test: Sequence[LabelledProduct],  # noqa: ARG002
    ) -> dict[str, NDArray[Any]]:
        """Return additional arrays about the test products, row by row."""
        return {}


class Vectorizer(Protocol):
    """Turns products into a feature matrix."""

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
