"""Aisle: which category of a shop's taxonomy does a product belong in?

The public names are `load`, `Classifier`, `Product`, `Prediction` and `aisle.errors`. Each is
imported on first use, so `import aisle` is quick and works without numpy, as in the image of the
feedback function. docs/LIBRARY.md shows how to use them.
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


if not TYPE_CHECKING:  # a type checker would accept a misspelt name as an `object`

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        if name == "errors":
            return import_module("aisle.errors")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'aisle' has no attribute {name!r}")
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value  # from now on, Python finds it without this function
        return value


def __dir__() -> list[str]:
    """List the public names, including those not imported yet."""
    return sorted({*globals(), *__all__})
