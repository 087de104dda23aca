"""Name and description as one field or two; the gain from manufacturer and price."""

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
    tokens = [token for token in attributes_of(product) if token.startswith(prefix)]
    return "".join(f"\t{token}" for token in tokens)


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
    """Compare ways to turn the fields into features."""
    part = part_of(catalogue)
    answers = {name: cross_validate(catalogue, part, way) for name, way in WAYS.items()}
    typed = sum(map(bool, catalogue.types))
    if typed:
        types = [f"\ttype={value}" if value else "" for value in catalogue.types]
        answers[_TYPE] = cross_validate(catalogue, part, WAYS["one field"], more=types)
    gains = gains_over_first(part, answers)

    def gain(name: str) -> str:
        return " / ".join(signed(by_table["difference"]) for by_table in gains[name])

    return Finding(
        columns=("features", *COMPARED),
        rows=compared(answers, gains),
        sentence=(
            f"Two fields instead of one change accuracy by {gain('two fields')} (tables of 100 / "
            f"20), repeating the name by {gain('one field, and the name once more')}. The "
            f"manufacturer adds {gain('one field + manufacturer')}, the price "
            f"{gain('one field + price')}, both {gain('one field + manufacturer + price')}. "
            + (
                f"The type, which {typed:,} of {len(catalogue.rows):,} products have, adds "
                f"{gain(_TYPE)}; it is not used. "
                if typed
                else "There is no column `type`. "
            )
            + "The mere presence of a field such as name or type must not be a feature: in data "
            "from several sources it reveals the depth of the label."
        ),
    )


SECTION = Section("fields", "Fields and attributes", answer)
