"""Labels that products like these make improbable: confident learning (Northcutt et al. 2021).

The probabilities are out of fold: those of neighbours among products that were labelled without
this one, by the shop and by other feedback. So many that say the same of products that are alike
support each other, and a label against all neighbours stands out.
"""

from collections.abc import Sequence

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

_FOLDS = 5
# No neighbour is without any say, so that a product of unknown words has probabilities too.
_LEAST_SAY = 1e-3


def improbable(
    texts: Sequence[str], labels: Sequence[str], *, asked: Sequence[bool], neighbours: int
) -> list[bool]:
    """Tell which of the asked products' labels look wrong, in their order."""
    classes, numbers = np.unique(np.array(labels, object), return_inverse=True)
    question = np.array(asked, bool)
    if not question.any() or len(classes) < 2 or len(texts) < 2 * _FOLDS:  # noqa: PLR2004
        return [False] * int(question.sum())
    found = find_label_issues(
        numbers,
        _out_of_fold(texts, numbers, len(classes), neighbours),
        filter_by="confident_learning",
        n_jobs=1,
    )
    return [bool(one) for one in np.asarray(found)[question]]


def _out_of_fold(
    texts: Sequence[str], labels: NDArray[np.int64], classes: int, neighbours: int
) -> NDArray[np.float64]:
    """Return the probabilities of all classes: (products, classes), each product's out of fold."""
    table = TfidfVectorizer(analyzer=str.split, sublinear_tf=True).fit_transform(texts)
    out = np.zeros((len(texts), classes))
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    for seen, held in folds.split(table):
        model = KNeighborsClassifier(
            min(neighbours, len(seen)), metric="cosine", algorithm="brute", weights=_say
        )
        model.fit(table[seen], labels[seen])
        out[np.ix_(held, model.classes_)] = model.predict_proba(table[held])
    return out


def _say(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - distances, _LEAST_SAY)
