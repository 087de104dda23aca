"""Cross-fitting: out-of-fold predictions of the linear stage, to fit and judge the second stage.

The second stage must learn from margins as they are in service, not from those of products that
the SVMs were fitted on (stacked generalisation: Wolpert 1992). The thresholds and the decision
whether to use the second stage come from the same products, each scored by trees of other folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import softmax

from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.candidates import Shortlist
from aisle.model.rerank.features import FEATURES
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.product import Path, Product
from aisle.progress import say
from aisle.taxonomy import Taxonomy
from aisle_training.data.prepare import Example
from aisle_training.fit.calibrate import answer_thresholds, confidences
from aisle_training.fit.linear import Linear, fit_linear, for_depth
from aisle_training.fit.naive_bayes import fit_naive_bayes
from aisle_training.fit.problem import LearningProblem, make_problem, with_fields_dropped
from aisle_training.fit.rerank import fit_outside, fit_trees, index_neighbours, scores, to_text
from aisle_training.fit.vocabulary import feature_spec
from aisle_training.parameters import LearningParameters, RerankParameters

_CHUNK = 256
_LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True, slots=True)
class Fold:
    """Held-out products of a fold, and the linear stage's output for them.

    `probabilities` float32 (products, classes), `candidates` int64 (products, size), `described`
    float32 (products, size, features), `labels` int64 (products,), -1 for a class that the fold's
    linear stage does not have, `weights` float64 (products,) the sample weights of the second
    stage. The first products are the examples with these `paths`, the rest are copies of them with
    fields dropped.
    """

    taxonomy: Taxonomy
    shortlist: Shortlist
    paths: Sequence[Path]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    candidates: NDArray[np.int64]
    described: NDArray[np.float32]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which candidates are the product's class: bool (products, size)."""
        return np.equal(self.candidates, self.labels[:, None])

    @property
    def rest(self) -> NDArray[np.float32]:
        """The linear stage's probability outside the candidates: float32 (products,)."""
        rows = np.arange(len(self.probabilities))[:, None]
        others = self.probabilities.copy()
        others[rows, self.candidates] = 0
        return np.asarray(others.sum(axis=1))

    def reranked(self, trees: lgb.Booster, outside: Outside) -> NDArray[np.float32]:
        """Return the probabilities (products, classes) after a second stage."""
        tree_scores = scores(trees, self.described)
        return self.shortlist.share_out(self.probabilities, self.candidates, tree_scores, outside)

    def log_loss(self, probabilities: NDArray[np.float32]) -> float:
        """Return the summed log loss of probabilities over the examples of known classes."""
        rows = np.flatnonzero(self.labels[: len(self.paths)] >= 0)
        of_labels = probabilities[rows, self.labels[rows]].astype(np.float64)
        return float(-np.log(np.maximum(of_labels, _LEAST_PROBABILITY)).sum())


@dataclass(frozen=True, slots=True)
class SecondStage:
    """The outcome of cross-fitting: the trees (None if they do not help) and the thresholds.

    `trees` are in LightGBM's text format, and `outside` belongs to them. The log losses are means
    over the products of known classes in all folds, without and with the trees.
    """

    trees: str | None
    outside: Outside
    thresholds: tuple[float, ...]
    linear_log_loss: float
    reranked_log_loss: float


def cross_fit(
    examples: Sequence[Example],
    settings: LearningParameters,
    *,
    inverse_regularization: float,
    min_products: int,
    level_weights: tuple[float, ...],
) -> list[Fold]:
    """For each fold, fit the linear stage on the other folds and apply it to this one.

    Folds are assigned by the hash of the products' texts, as splits are. Raises DataError where the
    other folds have too few categories to learn from.
    """
    count = settings.rerank.folds
    fold_of = [int(example.group[8:16], 16) % count for example in examples]
    folds = []
    for number in range(count):
        seen = [example for example, at in zip(examples, fold_of, strict=True) if at != number]
        held_out = [example for example, at in zip(examples, fold_of, strict=True) if at == number]
        problem = make_problem(seen, settings.fit, min_products=min_products)
        linear, features = fit_linear(
            problem,
            settings.features,
            inverse_regularization=inverse_regularization,
            what=f"fold {number + 1} of {count}",
        )
        shortlist = Shortlist(
            problem.taxonomy,
            neighbours_of(linear, features, settings.rerank),
            naive_bayes_of(problem, settings.rerank),
        )
        folds.append(_apply(linear, shortlist, held_out, settings, level_weights))
    return folds


def neighbours_of(
    linear: Linear, features: csr_matrix, settings: RerankParameters
) -> NearestNeighbours:
    """Index the products that a linear stage was fitted on, without copies."""
    problem = linear.problem
    return index_neighbours(
        features[: problem.distinct],
        problem.labels[: problem.distinct],
        linear.vocabulary.terms,
        len(problem.taxonomy.classes),
        settings,
    )


def naive_bayes_of(problem: LearningProblem, settings: RerankParameters) -> NaiveBayesRatios:
    """Count the values of a problem's products, without copies."""
    return fit_naive_bayes(
        problem.products[: problem.distinct],
        problem.labels[: problem.distinct],
        len(problem.taxonomy.classes),
        most_pairs=settings.most_pairs,
    )


def choose_second_stage(
    folds: Sequence[Fold], settings: RerankParameters, *, precision: float
) -> SecondStage:
    """Fit the trees on all folds if they lower the log loss of held-out folds.

    From a level's threshold on, a share of `precision` of the predicted nodes there is right.
    """
    known = [int(fold.right.any(axis=1).sum()) for fold in folds]
    reranked = []
    for number, fold in enumerate(folds):
        if sum(known) == known[number]:  # the other folds have nothing to learn from
            reranked.append(fold.probabilities)
            continue
        others = [other for other in folds if other is not fold]
        reranked.append(fold.reranked(*fit_second_stage(others, settings)))
    products = sum(int((fold.labels[: len(fold.paths)] >= 0).sum()) for fold in folds) or 1
    before = sum(fold.log_loss(fold.probabilities) for fold in folds) / products
    after = (
        sum(
            fold.log_loss(probabilities)
            for fold, probabilities in zip(folds, reranked, strict=True)
        )
        / products
    )
    helps = after < before
    say(
        f"The second stage {'lowers' if helps else 'does not lower'} the log loss of held-out "
        f"products: {before:.3f} without it, {after:.3f} with it."
    )
    served = reranked if helps else [fold.probabilities for fold in folds]
    thresholds = answer_thresholds(
        [
            confidences(fold.taxonomy, probabilities[: len(fold.paths)], fold.paths)
            for fold, probabilities in zip(folds, served, strict=True)
        ],
        precision=precision,
    )
    trees, outside = fit_second_stage(folds, settings) if helps else (None, Outside(1, 0))
    text = to_text(trees) if trees is not None else None
    return SecondStage(text, outside, thresholds, before, after)


def fit_second_stage(
    folds: Sequence[Fold],
    settings: RerankParameters,
    features: Sequence[str] = FEATURES,
    *,
    seed: int = 0,
) -> tuple[lgb.Booster, Outside]:
    """Fit trees, and the calibration of what is outside the candidates, to held-out products.

    `features` are the names of those in the folds' `described`.
    """
    right = np.concatenate([fold.right for fold in folds])
    described = np.concatenate([fold.described for fold in folds])
    weights = np.concatenate([fold.weights for fold in folds])
    trees = fit_trees(described, right, weights, settings, features, seed=seed)
    rest = np.concatenate([fold.rest for fold in folds])
    return trees, fit_outside(rest, np.asarray(~right.any(axis=1)))


def _apply(
    linear: Linear,
    shortlist: Shortlist,
    held_out: Sequence[Example],
    settings: LearningParameters,
    level_weights: tuple[float, ...],
) -> Fold:
    """Apply a fold's linear stage to its held-out products and to copies with fields dropped."""
    problem = linear.problem
    featurizer = linear.vocabulary.featurizer(feature_spec(settings.features))
    rows = [(example.product, problem.label(example.path), 1.0) for example in held_out]
    rows += [
        (copy, label, weight)
        for product, label, _ in rows
        for copy, weight in with_fields_dropped(product, settings.fit)
    ]
    weights = for_depth(level_weights, problem.taxonomy.depth)
    products = [product for product, _, _ in rows]

    def describe(
        part: Sequence[Product],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        features = featurizer.transform(part)
        margins = linear.margins(features)
        probabilities = softmax(problem.structure.scores(margins, weights), axis=1)
        candidates = shortlist.candidates(probabilities)
        described = shortlist.features(
            part, features, candidates, probabilities=probabilities, margins=margins
        )
        return probabilities, candidates, described

    parts = [describe(products[at : at + _CHUNK]) for at in range(0, len(products), _CHUNK)]
    return Fold(
        taxonomy=problem.taxonomy,
        shortlist=shortlist,
        paths=[example.path for example in held_out],
        labels=np.array([label for _, label, _ in rows], np.int64),
        weights=np.array([weight for _, _, weight in rows], np.float64),
        probabilities=np.concatenate([probabilities for probabilities, _, _ in parts]),
        candidates=np.concatenate([candidates for _, candidates, _ in parts]),
        described=np.concatenate([described for _, _, described in parts]),
    )
