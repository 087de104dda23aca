"""Aisle: which category of a shop's taxonomy does a product belong in?

What people import is here: `load`, `Classifier`, `Product`, `Prediction`, and `aisle.errors`.
Nothing is computed here, and nothing is loaded before it is asked for: `import aisle` is quick, and
works where there is no numpy, as in the image that keeps feedback. docs/LIBRARY.md shows the use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aisle import errors
    from aisle.model.classifier import Classifier
    from aisle.product import Prediction, Product
    from aisle.registry.loading import load

__version__ = "0.1.0"
__all__ = ["Classifier", "Prediction", "Product", "__version__", "errors", "load"]

_MODULE_OF: Final = {
    "Classifier": "aisle.model.classifier",
    "Prediction": "aisle.product",
    "Product": "aisle.product",
    "load": "aisle.registry.loading",
}


if not TYPE_CHECKING:  # or a misspelt name would be an `object` to a type checker, and no error

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for (PEP 562)."""
        if name == "errors":
            return import_module("aisle.errors")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'aisle' has no attribute {name!r}")
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value  # the next time, Python finds it by itself
        return value


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet too."""
    return sorted({*globals(), *__all__})
