"""Name and description as one field or two; what manufacturer and price bring."""

from collections.abc import Callable, Sequence

from aisle.normalize import normalize
from aisle.product import Product
from aisle_benchmark.candidates.features import attributes_of, text_of
from aisle_benchmark.finding import Finding, Section, signed
from aisle_benchmark.protocol import Catalogue
from aisle_benchmark.research.instrument import (
    COMPARED,
    compared,
    cross_validate,
    gains_over_first,
    part_of,
)


def _tokens(product: Product, prefix: str) -> str:
    found = [token for token in attributes_of(product) if token.startswith(prefix)]
    return "".join(f"\t{token}" for token in found)


def _two(product: Product) -> list[str]:
    return [normalize(product.name), normalize(product.description)]


def _both(product: Product) -> list[str]:
    return [text_of(product), normalize(product.name)]


_TYPE = "one field + type"
WAYS: dict[str, Callable[[Product], Sequence[str]]] = {
    "one field": lambda product: [text_of(product)],
    "two fields": _two,
    "one field, and the name once more": _both,
    "one field + manufacturer": lambda product: [text_of(product), _tokens(product, "maker")],
    "one field + price": lambda product: [text_of(product), _tokens(product, "price")],
    "one field + manufacturer + price": lambda product: [text_of(product), _tokens(product, "")],
    "manufacturer and price alone": lambda product: [_tokens(product, "")],
}


def answer(catalogue: Catalogue) -> Finding:
    """Compare the ways to make features of the fields."""
    part = part_of(catalogue)
    answers = {name: cross_validate(catalogue, part, way) for name, way in WAYS.items()}
    typed = sum(map(bool, catalogue.types))
    if typed:
        types = [f"\ttype={one}" if one else "" for one in catalogue.types]
        answers[_TYPE] = cross_validate(catalogue, part, WAYS["one field"], more=types)
    gains = gains_over_first(part, answers)

    def brings(name: str) -> str:
        return " / ".join(signed(one["difference"]) for one in gains[name])

    return Finding(
        columns=("features", *COMPARED),
        rows=compared(answers, gains),
        sentence=(
            f"Two fields instead of one change accuracy by {brings('two fields')} (tables of 100 / "
            f"20), the name once more by {brings('one field, and the name once more')}; the "
            f"manufacturer brings {brings('one field + manufacturer')}, the price "
            f"{brings('one field + price')}, both {brings('one field + manufacturer + price')}. "
            + (
                f"The type, which {typed:,} of {len(catalogue.rows):,} products have, brings "
                f"{brings(_TYPE)}; it is not used. "
                if typed
                else "There is no column `type`. "
            )
            + "Whether a field such as name or type is there at all must not be a feature: in data "
            "of several origins it tells how deep the label is."
        ),
    )


SECTION = Section("fields", "Fields and attributes", answer)
