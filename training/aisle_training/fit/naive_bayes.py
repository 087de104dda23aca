"""Training products -> naive Bayes log-likelihood ratios of words, manufacturers and prices."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.model.rerank.naive_bayes import COUNTED, NaiveBayesRatios, values
from aisle.product import Product


def fit_naive_bayes(
    products: Sequence[Product], labels: NDArray[np.int64], classes: int, *, most_pairs: int
) -> NaiveBayesRatios:
    """Count which classes have which values; `labels` int64 (products,) are the classes.

    If a class has n values of a field, d of them distinct, a value that occurs k times in it has
    the likelihood ratio (k / q + d) / (n + d), where q is the value's share of all values of the
    field (Witten & Bell 1991). If there are more than `most_pairs` pairs of a value and a class,
    those of the rarest values are left out.
    """
    counts: Counter[tuple[int, str, int]] = Counter()
    for product, label in zip(products, labels.tolist(), strict=True):
        for field, field_values in enumerate(values(product)):
            counts.update((field, value, label) for value in field_values)
    pairs = sorted(counts)
    names = list(dict.fromkeys(value for _, value, _ in pairs))
    number_of = {name: number for number, name in enumerate(names)}
    number = np.array([number_of[value] for _, value, _ in pairs], np.int64)
    field_of = np.array([field for field, _, _ in pairs], np.int64)
    label_of = np.array([label for *_, label in pairs], np.int64)
    times = np.array([counts[pair] for pair in pairs], np.int64)

    slot = field_of * classes + label_of
    slots = len(COUNTED) * classes
    seen = np.bincount(slot, times, minlength=slots)
    distinct = np.bincount(slot, minlength=slots)
    # A class without any value of a field, say no known manufacturer, gets the ratio 1.
    absent = np.log(np.where(seen > 0, distinct, 1) / np.where(seen > 0, seen + distinct, 1))
    frequency = np.bincount(number, times, minlength=len(names)).astype(np.int64)
    shares = frequency[number] / np.bincount(field_of, times, minlength=len(COUNTED))[field_of]
    gains = np.log1p(times / (shares * distinct[slot]))

    kept = _most_frequent(frequency[number], most_pairs)
    remaining, renumbered = np.unique(number[kept], return_inverse=True)
    return NaiveBayesRatios(
        lines=np.frombuffer("\n".join(names[at] for at in remaining).encode(), np.uint8),
        absent=absent.reshape(len(COUNTED), classes).astype(np.float32),
        pairs=np.append(renumbered * classes + label_of[kept], np.iinfo(np.int64).max),
        gains=np.append(gains[kept], 0).astype(np.float32),
    )


def _most_frequent(frequency: NDArray[np.int64], most: int) -> NDArray[np.bool_]:
    """Return which pairs to keep: all, or those above the frequency of the first pair too many."""
    if len(frequency) <= most:
        return np.ones(len(frequency), np.bool_)
    return np.asarray(frequency > np.sort(frequency)[::-1][most])
