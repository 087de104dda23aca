"""Golden examples: replayed after loading, they prove that a model decides as when exported."""

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
    """A product, and what the model predicted for it when it was exported."""

    product: Product
    category_id: str
    confidence: float


def to_lines(examples: Iterable[Golden]) -> bytes:
    """Return examples as JSON lines."""
    return b"".join(
        json.dumps(asdict(example), sort_keys=True).encode() + b"\n" for example in examples
    )


def replay(bundle: Bundle, classifier: Classifier) -> int:
    """Predict a bundle's golden examples again and return their number.

    Raises BundleError, which names the first example with another decision.
    """
    try:
        rows = [parse_json(line) for line in bundle.files[GOLDEN].splitlines()]
        examples = [Golden(**row | {"product": Product(**row["product"])}) for row in rows]
        expected = [float(example.confidence) for example in examples]
        products = [example.product for example in examples]
        predictions = classifier.predict(products, explain=False)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BundleError(f"The bundle's {GOLDEN} cannot be read: {error}.") from error
    for example, confidence, prediction in zip(examples, expected, predictions, strict=True):
        predicted = prediction.category
        same = predicted.category.id == example.category_id
        # Not `> _TOLERANCE`: a confidence that is not a number must not pass.
        if not (same and abs(predicted.confidence - confidence) <= _TOLERANCE):
            raise BundleError(
                f"The model decides differently from when it was exported: "
                f"{example.product.name!r} was {example.category_id} with {example.confidence}, "
                f"and is "
                f"{predicted.category.id} with {predicted.confidence:.4f}. Use the libraries named "
                "in its manifest, or train again."
            )
    return len(examples)
