"""Name and description as one field or two; what manufacturer and price bring."""

from collections.abc import Callable, Sequence

from aisle.product import Product
from aisle.text import normalize
from training.compare.features import attributes_of, text_of
from training.compare.protocol import MINIMA, Catalogue
from training.compare.research.finding import Finding, Section, signed
from training.compare.research.instrument import cross_validate, part_of


def _tokens(product: Product, prefix: str) -> str:
    found = [token for token in attributes_of(product) if token.startswith(prefix)]
    return "".join(f"\t{token}" for token in found)


def _two(product: Product) -> list[str]:
    return [normalize(product.name), normalize(product.description)]


def _both(product: Product) -> list[str]:
    return [text_of(product), normalize(product.name)]


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
    found = {name: cross_validate(catalogue, part, way) for name, way in WAYS.items()}
    base = found["one field"]

    def gain(name: str) -> str:
        pairs = zip(found[name], base, strict=True)
        return " / ".join(signed(one["accuracy"] - other["accuracy"]) for one, other in pairs)

    return Finding(
        columns=(
            "features",
            *(f"{what} {minimum}" for minimum in MINIMA for what in ("accuracy", "macro-F1")),
            "accuracy gained",
        ),
        rows=tuple(
            (
                name,
                *(value for one in scores for value in (one["accuracy"], one["macro_f1"])),
                gain(name),
            )
            for name, scores in found.items()
        ),
        sentence=(
            f"Two fields instead of one change accuracy by {gain('two fields')} (tables of 100 / "
            f"20), the name once more by {gain('one field, and the name once more')}; the "
            f"manufacturer brings {gain('one field + manufacturer')}, the price "
            f"{gain('one field + price')}, both {gain('one field + manufacturer + price')}. The "
            "schema has no type of product that could be a feature: the shop's own `type` column "
            "is not read, since it says what kind of offer a row is. Whether a name is there at "
            "all is no feature either: in data of several origins it tells how deep the label is."
        ),
    )


SECTION = Section("fields", "Fields and attributes", answer)
