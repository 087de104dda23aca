"""Which cleaning steps help: case, markup, punctuation, digits, stop words, stemming."""

import html
import re
from collections.abc import Callable

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from aisle.normalize import normalize
from aisle.product import Product
from aisle_benchmark.finding import Finding, Section, listed
from aisle_benchmark.protocol import Catalogue
from aisle_benchmark.research.instrument import (
    COMPARED,
    compared,
    cross_validate,
    gains_over_first,
    part_of,
)

_TAG = re.compile(r"<[^<>]*>")
_MARK = re.compile(r"([^\w\s])")


def _raw(product: Product) -> str:
    return " ".join(filter(None, (product.name, product.description)))


def _normal(product: Product) -> str:
    return normalize(_raw(product))


def _keep_case(product: Product) -> str:
    return " ".join(re.findall(r"[^\W_]+", _TAG.sub(" ", html.unescape(_raw(product)))))


def _keep_punctuation(product: Product) -> str:
    return _MARK.sub(r" \1 ", _TAG.sub(" ", html.unescape(_raw(product)))).casefold()


def _without_digits(product: Product) -> str:
    return " ".join(re.sub(r"\d", "", _normal(product)).split())


def _digits_alike(product: Product) -> str:
    return re.sub(r"\d", "0", _normal(product))


def _without_stop_words(product: Product) -> str:
    return " ".join(word for word in _normal(product).split() if word not in ENGLISH_STOP_WORDS)


def _stemmed() -> Callable[[Product], str]:
    from snowballstemmer import stemmer  # noqa: PLC0415  # of the research extra

    english = stemmer("english")
    return lambda product: " ".join(english.stemWords(_normal(product).split()))


def _alone(way: Callable[[Product], str]) -> Callable[[Product], list[str]]:
    return lambda product: [way(product)]


def answer(catalogue: Catalogue) -> Finding:
    """Compare each cleaning step with the present normalisation."""
    ways: dict[str, Callable[[Product], str]] = {
        "as it is: case folded, markup and punctuation dropped": _normal,
        "the text as typed": _raw,
        "case kept": _keep_case,
        "punctuation kept, as words": _keep_punctuation,
        "digits dropped": _without_digits,
        "digits all alike": _digits_alike,
        "stop words dropped": _without_stop_words,
        "words stemmed": _stemmed(),
    }
    part = part_of(catalogue)
    answers = {name: cross_validate(catalogue, part, _alone(way)) for name, way in ways.items()}
    gains = gains_over_first(part, answers)
    helps = [name for name, by_table in gains.items() if any(gain["low"] > 0 for gain in by_table)]
    hurts = [name for name, by_table in gains.items() if any(gain["high"] < 0 for gain in by_table)]
    return Finding(
        columns=("text", *COMPARED),
        rows=compared(answers, gains),
        sentence=(
            "Significantly better than the present normalisation, in at least one table: "
            f"{listed(helps)}. Significantly worse: {listed(hurts)}. The folds show no clear "
            "effect of the other steps."
        ),
    )


SECTION = Section(
    "cleaning",
    "Which cleaning steps help",
    answer,
    packages=(("snowballstemmer", "snowballstemmer"),),
)
