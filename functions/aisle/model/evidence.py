"""Which fragments of a product's text spoke for a category.

The scorer is linear in the terms and in the vector, so a class's score is a sum over the words that
they were made of; each word is found again in the text as typed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.model.tfidf import TermCounter
from aisle.normalize import Token, tokenize, words
from aisle.product import Evidence, Product

_MOST = 12
_LEAST_WEIGHT = 0.01


def find_evidence(
    product: Product,
    counter: TermCounter,
    terms: NDArray[np.int64],
    contributions: NDArray[np.float32],
    word_contributions: Mapping[str, Mapping[str, float]],
) -> tuple[Evidence, ...]:
    """Return the fragments that spoke for a class, heaviest first.

    `terms` (ascending) are the product's known terms, `contributions` (same length) what each adds
    to the class's score; `word_contributions` what each distinct word of a field adds to it through
    the product's vector.
    """
    emphasized = bool(words(product.name) and words(product.description))
    tokens: list[tuple[str, Token]] = []
    parts: list[tuple[NDArray[np.int64], int]] = []
    for field in ("name", "description", "manufacturer"):
        first = len(tokens)
        found = tokenize(getattr(product, field))
        tokens += [(field, token) for token in found]
        texts = [token.text for token in found]
        for ids, members in _term_origins(field, texts, counter, emphasized=emphasized):
            parts += [(ids, first + at) for at in members]
    if not parts:
        return ()

    ids = np.concatenate([part for part, _ in parts])
    owners = np.repeat([owner for _, owner in parts], [len(part) for part, _ in parts])
    known = np.isin(ids, terms)
    at = np.searchsorted(terms, ids[known])
    # A term made of several words, or met several times, is shared between all of them.
    times = np.bincount(at, minlength=len(terms))
    by_terms = np.bincount(owners[known], contributions[at] / times[at], minlength=len(tokens))
    return _heaviest(product, tokens, by_terms + _from_vector(tokens, word_contributions))


def _from_vector(
    tokens: Sequence[tuple[str, Token]], word_contributions: Mapping[str, Mapping[str, float]]
) -> NDArray[np.float64]:
    """Share what each word adds through the vector between the places where it stands."""
    times = Counter((field, token.text) for field, token in tokens)
    return np.array(
        [
            word_contributions.get(field, {}).get(token.text, 0.0) / times[field, token.text]
            for field, token in tokens
        ]
    )


def _term_origins(
    field: str, texts: Sequence[str], counter: TermCounter, *, emphasized: bool
) -> Iterator[tuple[NDArray[np.int64], Sequence[int]]]:
    """Yield the numbers of terms, and the positions of the words that they were made of."""
    if field == "manufacturer":
        yield counter.numbers([f"m:{' '.join(texts)}"]), range(len(texts))
        for at, text in enumerate(texts):
            yield counter.numbers([f"m:{text}"]), [at]
        return
    for at, text in enumerate(texts):
        yield counter.word[text], [at]
    for members, phrase in counter.phrases(texts):
        yield counter.numbers([f"w:{phrase}"]), members
    if field == "name" and emphasized:
        for at, text in enumerate(texts):
            yield counter.numbers([f"n:{text}"]), [at]
        for members, phrase in counter.phrases(texts):
            yield counter.numbers([f"n:{phrase}"]), members


def _heaviest(
    product: Product, tokens: Sequence[tuple[str, Token]], weights: NDArray[np.float64]
) -> tuple[Evidence, ...]:
    """Keep the words that spoke for the class; weights become shares of their sum."""
    positive = np.clip(weights, 0, None)
    shares = positive / (positive.sum() or 1)
    order = np.argsort(-shares, kind="stable")[:_MOST]
    return tuple(
        Evidence(
            field=field,
            start=token.start,
            end=token.end,
            text=getattr(product, field)[token.start : token.end],
            weight=round(float(shares[at]), 4),
        )
        for at, (field, token) in ((int(at), tokens[at]) for at in order)
        if shares[at] >= _LEAST_WEIGHT
    )
