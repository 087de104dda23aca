"""Find likely label errors by confident learning (Northcutt et al. 2021).

The class probabilities come from the k nearest neighbours, out of fold: each product is judged by
products of the other folds, labelled by the shop or by other feedback. Feedback that gives similar
products the same label therefore supports itself, and a label that contradicts all neighbours
stands out.
"""

from collections.abc import Sequence

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

_FOLDS = 5
# Every neighbour has some weight, so that a product of unknown words has probabilities too.
_MIN_WEIGHT = 1e-3


def find_label_errors(
    texts: Sequence[str], labels: Sequence[str], *, judged: Sequence[bool], neighbours: int
) -> list[bool]:
    """Tell for each of the `judged` products, in their order, whether its label is likely wrong.

    Nothing is wrong where there are fewer than two classes or too few products for the folds.
    """
    classes, numbers = np.unique(np.array(labels, object), return_inverse=True)
    mask = np.array(judged, bool)
    if not mask.any() or len(classes) < 2 or len(texts) < 2 * _FOLDS:  # noqa: PLR2004
        return [False] * int(mask.sum())
    issues = find_label_issues(
        numbers,
        _out_of_fold_proba(texts, numbers, len(classes), neighbours),
        filter_by="confident_learning",
        n_jobs=1,
    )
    return [bool(issue) for issue in np.asarray(issues)[mask]]


def _out_of_fold_proba(
    texts: Sequence[str], labels: NDArray[np.int64], classes: int, neighbours: int
) -> NDArray[np.float64]:
    """Return out-of-fold class probabilities: float64 (products, classes)."""
    X = TfidfVectorizer(analyzer=str.split, sublinear_tf=True).fit_transform(texts)
    probabilities = np.zeros((len(texts), classes))
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    for train, held_out in folds.split(X):
        knn = KNeighborsClassifier(
            min(neighbours, len(train)), metric="cosine", algorithm="brute", weights=_similarity
        )
        knn.fit(X[train], labels[train])
        probabilities[np.ix_(held_out, knn.classes_)] = knn.predict_proba(X[held_out])
    return probabilities


def _similarity(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - distances, _MIN_WEIGHT)
