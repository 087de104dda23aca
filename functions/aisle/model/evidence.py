"""Evidence: which fragments of a product's text contributed most to a class's score.

The linear stage is linear in the terms and in the vector, so a class's score is a sum over the
words that these come from. Each word is located in the text as typed.
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
    contributions: NDArray[np.float64],
    word_contributions: Mapping[str, Mapping[str, float]],
) -> tuple[Evidence, ...]:
    """Return the fragments that contributed to a class's score, largest contribution first.

    `terms` int64 (terms,), ascending, are the product's terms, `contributions` float64 (terms,)
    what each adds to the score; `word_contributions` is what each distinct word of a field adds to
    it through the product's vector.
    """
    emphasized = bool(words(product.name) and words(product.description))
    tokens: list[tuple[str, Token]] = []
    parts: list[tuple[NDArray[np.int64], int]] = []
    for field in ("name", "description", "manufacturer"):
        first = len(tokens)
        field_tokens = tokenize(getattr(product, field))
        tokens += [(field, token) for token in field_tokens]
        texts = [token.text for token in field_tokens]
        for ids, members in _term_origins(field, texts, counter, emphasized=emphasized):
            parts += [(ids, first + position) for position in members]
    if not parts:
        return ()

    ids = np.concatenate([part for part, _ in parts])
    owners = np.repeat([owner for _, owner in parts], [len(part) for part, _ in parts])
    known = np.isin(ids, terms)
    positions = np.searchsorted(terms, ids[known])
    # A term of several words, or one that occurs several times, is shared between all of them.
    times = np.bincount(positions, minlength=len(terms))
    shares = contributions[positions] / times[positions]
    by_terms = np.bincount(owners[known], shares, minlength=len(tokens))
    return _largest(product, tokens, by_terms + _from_vector(tokens, word_contributions))


def _from_vector(
    tokens: Sequence[tuple[str, Token]], word_contributions: Mapping[str, Mapping[str, float]]
) -> NDArray[np.float64]:
    """Split what each word adds through the vector between its occurrences."""
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
    """Yield the indices of terms, with the positions of the words that they come from."""
    if field == "manufacturer":
        yield counter.indices([f"m:{' '.join(texts)}"]), range(len(texts))
        for position, text in enumerate(texts):
            yield counter.indices([f"m:{text}"]), [position]
        return
    for position, text in enumerate(texts):
        yield counter.word[text], [position]
    for members, phrase in counter.phrases(texts):
        yield counter.indices([f"w:{phrase}"]), members
    if field == "name" and emphasized:
        for position, text in enumerate(texts):
            yield counter.indices([f"n:{text}"]), [position]
        for members, phrase in counter.phrases(texts):
            yield counter.indices([f"n:{phrase}"]), members


def _largest(
    product: Product, tokens: Sequence[tuple[str, Token]], weights: NDArray[np.float64]
) -> tuple[Evidence, ...]:
    """Keep the words with positive weights; weights become shares of their sum."""
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
