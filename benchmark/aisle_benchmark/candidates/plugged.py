"""An external candidate: a class with two methods, named as `package.module:Class`.

docs/CANDIDATES.md describes what such a class gets and returns.
"""

import hashlib
import importlib
import inspect
import pickle
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ConfigurationError
from aisle.product import Product
from aisle_benchmark.candidates.base import Fitted, FoldedEarly, Training

_SPEC = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_METHODS = ("fit", "predict_proba")
_EXPECTED = (
    "Expected a class that is made without arguments and has the methods fit(products, labels) and "
    "predict_proba(products). docs/CANDIDATES.md has an example."
)
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_TOLERANCE = 1e-3
_MAX_ERROR = 300


class Pluggable(Protocol):
    """The interface of the class; a new instance, without arguments, for each fold and table."""

    def fit(self, products: Sequence[Product], labels: Sequence[str]) -> object:
        """Learn from products and the class ids of each."""

    def predict_proba(self, products: Sequence[Product]) -> Any:  # noqa: ANN401  # array-like
        """Return the probability of every class, in the order of `sorted(set(labels))`."""


@dataclass(frozen=True)
class PluggedIn(FoldedEarly):
    """The class that `spec` names; like its peers, it is fitted separately for each table."""

    waits: ClassVar[bool] = True
    spec: str

    @property
    def name(self) -> str:
        """Its specification."""
        return self.spec

    @property
    def title(self) -> str:
        """Its specification, as Markdown."""
        return f"`{self.spec}`"

    def identity(self) -> dict[str, Any]:
        """Return its identity with a digest of its source."""
        return super().identity() | {"code": source_digest(self.spec)}

    def fit(self, training: Training) -> Fitted:
        """Create and fit an instance; raise ConfigurationError for any error in the class."""
        model: Pluggable = _call(self.spec, "making it", load(self.spec))
        labels = [training.names[number] for number in training.labels]
        _call(self.spec, "fit", model.fit, training.products, labels)
        return Plugged(self.spec, model, training.names)


class Plugged:
    """A fitted external model, whose probabilities are checked."""

    def __init__(self, spec: str, model: Pluggable, names: Sequence[str]) -> None:
        self._spec = spec
        self._model = model
        columns = {name: column for column, name in enumerate(sorted(names))}
        self._columns = [columns[name] for name in names]

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float64]:
        """Return the probability of every class: float64 (products, classes).

        Raise ConfigurationError if they have a wrong shape, are not finite, are negative, or do not
        sum to 1.
        """
        output = _call(self._spec, "predict_proba", self._model.predict_proba, products)
        return self._checked(output, len(products))[:, self._columns]

    def size_bytes(self) -> int:
        """Return the size of its pickle; 0 if it cannot be pickled."""
        try:
            return len(pickle.dumps(self._model))
        except Exception:  # noqa: BLE001  # an external class may raise anything
            return 0

    def _checked(self, output: object, rows: int) -> NDArray[np.float64]:
        shape = (rows, len(self._columns))
        if output is None:
            raise self._invalid("None", shape)
        try:
            probabilities = np.asarray(output, np.float64)
        except (TypeError, ValueError):
            raise self._invalid(
                f"{type(output).__name__}, which is no array of numbers", shape
            ) from None
        if probabilities.shape != shape:
            raise self._invalid(f"an array of shape {probabilities.shape}", shape)
        if not np.isfinite(probabilities).all():
            raise self._invalid("numbers that are not finite", shape)
        if (probabilities < 0).any():
            raise self._invalid(f"{probabilities.min():.4g} for a class", shape)
        sums = probabilities.sum(axis=1)
        furthest = sums[np.abs(sums - 1).argmax()]
        if abs(furthest - 1) > _TOLERANCE:
            raise self._invalid(f"a row that sums to {furthest:.4g}", shape)
        return probabilities

    def _invalid(self, returned: str, shape: tuple[int, int]) -> ConfigurationError:
        return ConfigurationError(
            f"The candidate {self._spec} cannot be scored: its predict_proba returned {returned}. "
            f"Expected {shape} probabilities, a row for each product and a column for each of "
            "sorted(set(labels)), none negative, each row summing to 1. Correct predict_proba."
        )


def load(spec: str) -> type[Pluggable]:
    """Return the class that `package.module:Class` names, from the current folder or installed.

    Raise ConfigurationError if there is none, or if it lacks one of the two methods.
    """
    if not _SPEC.fullmatch(spec):
        raise _refused(spec, "it is not of the form package.module:Class")
    module_name, _, class_name = spec.partition(":")
    module = _import(spec, module_name)
    candidate = vars(module).get(class_name)  # not getattr: a module's own __getattr__ may raise
    if not isinstance(candidate, type):
        classes = sorted(
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        )
        raise _refused(
            spec,
            f"{module_name} has no class {class_name}, only {', '.join(classes)}"
            if classes
            else f"{module_name} has no class {class_name}",
        )
    missing = [name for name in _METHODS if not callable(getattr(candidate, name, None))]
    if missing:
        raise _refused(spec, f"the class has no method {' and no method '.join(missing)}")
    try:
        inspect.signature(candidate).bind()
    except TypeError as error:
        raise _refused(spec, f"the class cannot be made without arguments ({error})") from None
    except ValueError:
        pass  # it has no signature to check
    return candidate


@cache
def source_digest(spec: str) -> str:
    """Return the hash of the class's module, or of the whole package that contains it."""
    load(spec)
    module_name = spec.partition(":")[0]
    package = sys.modules[module_name.partition(".")[0]]
    files = [
        (file.relative_to(folder).as_posix(), file)
        for folder in getattr(package, "__path__", ())
        for file in sorted(Path(folder).rglob("*.py"))
    ]
    if not files and package.__file__ is not None:
        files = [("", Path(package.__file__))]
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(f"{name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _import(spec: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    # As `python -m` does, which starts the workers.
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise _refused(
                spec, f"there is no module {error.name}, neither in {here} nor installed"
            ) from None
        raise _refused(spec, f"importing {name} raised {_summary(error)}") from error
    except (Exception, SystemExit) as error:
        raise _refused(spec, f"importing {name} raised {_summary(error)}") from error


def _call(spec: str, step: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
    """Call a function of the class; turn any error into a ConfigurationError with its location."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"The candidate {spec} failed: {step} raised {_summary(error)}. Expected no error. "
            "Correct the class, then run the same command again."
        ) from error


def _summary(error: BaseException) -> str:
    """Return an error in one line, with its last location outside installed libraries."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")
    if len(text) > _MAX_ERROR:
        text = f"{text[:_MAX_ERROR]}…"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__
        and "site-packages" not in frame.filename
        and not frame.filename.startswith(("<", _STANDARD_LIBRARY))
    ]
    return f"{text} ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else text


def _refused(spec: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"The candidate {spec!r} cannot be used: {why}. {_EXPECTED}")
