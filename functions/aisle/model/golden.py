"""Examples that travel with a model: replayed, they prove that it decides here as it did there."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from aisle.errors import BundleError
from aisle.json_text import parse_json
from aisle.model.bundle import GOLDEN, Bundle
from aisle.model.classifier import Classifier
from aisle.product import Product

# Processors differ in the last bits of float32; decisions must not.
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Golden:
    """A product, and what the model said of it when it was exported."""

    product: Product
    category_id: str
    confidence: float


def to_lines(examples: Iterable[Golden]) -> bytes:
    """Return examples as JSON lines."""
    return b"".join(json.dumps(asdict(one), sort_keys=True).encode() + b"\n" for one in examples)


def replay(bundle: Bundle, classifier: Classifier) -> int:
    """Predict a bundle's examples again and return their number.

    Raises BundleError, naming the first that is decided otherwise.
    """
    try:
        rows = [parse_json(line) for line in bundle.files[GOLDEN].splitlines()]
        examples = [Golden(**row | {"product": Product(**row["product"])}) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"The bundle's {GOLDEN} cannot be read: {error}.") from error
    products = [example.product for example in examples]
    predictions = classifier.predict(products, explain=False)
    for example, prediction in zip(examples, predictions, strict=True):
        found = prediction.category
        same = found.category.id == example.category_id
        if not same or abs(found.confidence - example.confidence) > _TOLERANCE:
            raise BundleError(
                f"The model decides otherwise here than where it was exported: "
                f"{example.product.name!r} was {example.category_id} with {example.confidence}, "
                f"and is {found.category.id} with {found.confidence:.4f}."
            )
    return len(examples)
