"""The second stage: LightGBM, fitted on candidates of held-out products."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from aisle.model.rerank.calibration import Outside, log_odds
from aisle.model.rerank.features import FEATURES
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle_training import parameters

_LEAST_HESSIAN = 1e-4
_QUIET = {"verbosity": -1}
# The blocks by which neighbours are compared: words, the name's words and the manufacturer.
_COMPARED = ("w", "n", "m")


@dataclass(frozen=True, slots=True)
class TrainedReranker:
    """A fitted second stage; `trees` are in LightGBM's own text format."""

    trees: str
    outside: Outside
    neighbours: NearestNeighbours
    naive_bayes: NaiveBayesRatios

    def scores(self, described: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return LightGBM's own score of each candidate (products, size, features)."""
        return scores(lgb.Booster(model_str=self.trees), described)


def scores(booster: lgb.Booster, described: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the score of each candidate (…, features): float32 of the same shape."""
    flat = described.reshape(-1, described.shape[-1])
    scores_of = np.asarray(booster.predict(flat, num_threads=1, raw_score=True), np.float32)
    return scores_of.reshape(described.shape[:-1])


def fit_trees(  # noqa: PLR0913  # a problem, and how to solve it
    described: NDArray[np.float32],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
    settings: parameters.RerankParameters,
    features: Sequence[str] = FEATURES,
    *,
    seed: int = 0,
) -> lgb.Booster:
    """Fit trees to candidates (products, size, features), of which `right` (products, size) are.

    They minimise the log loss of softmax over each product's candidates (conditional logit:
    McFadden 1974; as a listwise loss: Cao et al. 2007). `weights` (products,) are sample weights,
    `features` the features' names. Products without a right candidate are left out: they do not
    say which candidate is better.
    """
    known = right.any(axis=1)
    rows = described[known].reshape(-1, described.shape[2])
    wanted = right[known].astype(np.float64)
    data = lgb.Dataset(rows, wanted.ravel(), feature_name=list(features), params=_QUIET)
    options = {
        "objective": Listwise(wanted, weights[known]),
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.least_in_leaf,
        "lambda_l2": settings.l2,
        "feature_fraction": 0.7,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
    }
    return lgb.train({**options, **_QUIET}, data, num_boost_round=settings.trees)


class Listwise:
    """Gradient and Hessian of the log loss of softmax over each product's candidates.

    `wanted` is 1 for the right candidate, else 0 (products, size); `weights` (products,).
    """

    def __init__(self, wanted: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self._wanted = wanted
        self._weights = weights[:, None]

    def __call__(
        self, scores: NDArray[np.float64], _data: lgb.Dataset
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both at the scores, as LightGBM asks: float64 (products * size,) each."""
        shares = softmax(scores.reshape(self._wanted.shape), axis=1)
        gradient = (shares - self._wanted) * self._weights
        # The Hessian's diagonal alone is too small a bound, since raising one score lowers the
        # others' shares: doubled, as in LightGBM's own softmax objective.
        hessian = 2 * np.maximum(shares * (1 - shares), _LEAST_HESSIAN) * self._weights
        return gradient.ravel(), hessian.ravel()


def fit_outside(rest: NDArray[np.float32], outside: NDArray[np.bool_]) -> Outside:
    """Fit the probability that a class is outside the candidates (Platt scaling).

    `rest` is the linear stage's probability outside the candidates, `outside` whether the class is
    there, both (products,), of held-out products. With few products the penalty of the logistic
    regression keeps the slope from diverging.
    """
    if outside.all() or not outside.any():
        return Outside(1.0, 0.0)
    model = LogisticRegression().fit(log_odds(rest)[:, None], outside)
    # Rounded, so that the last bits of the optimum do not make another model.
    return Outside(round(float(model.coef_[0, 0]), 4), round(float(model.intercept_[0]), 4))


def to_text(booster: lgb.Booster) -> str:
    """Return a model in LightGBM's text format, with thresholds that ONNX can represent.

    Each threshold is rounded down to float32, which decides the same for every float32 value; the
    nearest float32 could be the next value up. The objective becomes regression, since the reader
    only has to sum the leaves.
    """
    lines = []
    for line in booster.model_to_string().splitlines():
        key, _, values = line.partition("=")
        if key == "threshold":
            exact = np.array(values.split(), np.float64)
            rounded = exact.astype(np.float32)
            above = rounded > exact
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            lines.append(f"{key}={' '.join(repr(float(value)) for value in rounded)}")
        elif key != "tree_sizes":  # lengths of the trees' texts, which have changed
            lines.append(line.replace("[objective: custom]", "[objective: regression]"))
        if key == "max_feature_idx":
            lines.append("objective=regression")
    return "\n".join(lines)


def index_neighbours(
    features: csr_matrix,
    labels: NDArray[np.int64],
    terms: Sequence[str],
    classes: int,
    settings: parameters.RerankParameters,
) -> NearestNeighbours:
    """Index training products by their rarer words.

    `features` (products, terms or more) are TF-IDF values, `labels` int64 (products,) the classes,
    each with at least one product.
    """
    products = np.bincount(labels, minlength=classes)
    rows = _spread(labels, products, settings.most_neighbours)
    blocks = np.array([term[0] in _COMPARED for term in terms])
    part = features[rows][:, : len(terms)].tocsc()
    seen = np.diff(part.indptr)
    used = blocks & (seen <= max(2, settings.most_frequent * len(rows)))
    part = part[:, np.flatnonzero(used)]
    norms = np.sqrt(np.asarray(part.multiply(part).sum(axis=1)).ravel())
    norms[norms == 0] = 1
    values = np.rint(255 * part.data / norms[part.indices]).astype(np.uint8)
    lengths = np.zeros(len(terms), np.int64)
    lengths[used] = np.diff(part.indptr)
    return NearestNeighbours(
        products=products,
        kept=np.bincount(labels[rows], minlength=classes),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        rows=part.indices.astype(np.int32),
        values=values,
    )


def _spread(labels: NDArray[np.int64], products: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the rows to keep, ordered by class: all, or at most `most`.

    Classes above a limit keep their first products up to that limit.
    """
    order = np.argsort(labels, kind="stable")
    limit = int(products.max())
    while np.minimum(products, limit).sum() > most and limit > 1:
        limit = max(1, int(limit * 0.9))
    starts = np.cumsum(products) - products
    place = np.arange(len(labels)) - starts[labels[order]]
    return order[place < limit]
