"""What a model makes of products that it has not seen: each fold by scorers fitted on the others.

The second stage has to learn from margins as they are in service, not from those of products that
the scorers know by heart (stacked generalisation: Wolpert 1992). Thresholds and the decision for or
against the second stage are made on the same products, each judged by trees of the other folds.
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
from aisle.model.rerank.knn import Neighbours
from aisle.model.rerank.naive_bayes import Likelihoods
from aisle.product import Path, Product
from aisle.progress import say
from aisle.taxonomy import Taxonomy
from aisle_training.data.prepare import Example
from aisle_training.fit.calibrate import answer_thresholds, confidences
from aisle_training.fit.linear import Linear, fit_linear, for_depth
from aisle_training.fit.naive_bayes import count_likelihoods
from aisle_training.fit.problem import LearningProblem, make_problem, with_fields_dropped
from aisle_training.fit.rerank import fit_outside, fit_trees, index_neighbours, scores, to_text
from aisle_training.fit.vocabulary import feature_spec
from aisle_training.parameters import LearningParameters, RerankParameters

_CHUNK = 256
_LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True, slots=True)
class Fold:
    """Products that the fold's linear stage has not seen, and what it made of them.

    `probabilities` float32 (products, classes), `candidates` int64 (products, size), `described`
    float32 (products, size, features), `labels` int64 (products,), -1 for a class that the fold
    does not know, `weights` float64 (products,) what each counts for the second stage. The first
    products are the examples with these `paths`, the rest copies of them with fields dropped.
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
        left = self.probabilities.copy()
        left[rows, self.candidates] = 0
        return np.asarray(left.sum(axis=1))

    def reranked(self, trees: lgb.Booster, outside: Outside) -> NDArray[np.float32]:
        """Return the probabilities (products, classes) as a second stage shares them out."""
        found = scores(trees, self.described)
        return self.shortlist.share_out(self.probabilities, self.candidates, found, outside)

    def log_loss(self, probabilities: NDArray[np.float32]) -> float:
        """Return the summed log loss of probabilities over the examples of known classes."""
        rows = np.flatnonzero(self.labels[: len(self.paths)] >= 0)
        found = probabilities[rows, self.labels[rows]].astype(np.float64)
        return float(-np.log(np.maximum(found, _LEAST_PROBABILITY)).sum())


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What cross-fitting decided: LightGBM's trees, None where they do not help, and thresholds.

    `outside` belongs to the trees. The log losses are means over the products of all folds, with
    and without the trees.
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
    """Fit the linear stage on all folds but one, for each, and apply it to that one.

    The folds are by the hash of the products' texts, as the splits are. Raises DataError where a
    fold leaves too few categories to learn from.
    """
    count = settings.rerank.folds
    place = np.array([int(example.group[8:16], 16) % count for example in examples], np.int64)
    folds = []
    for number in range(count):
        seen = [example for example, at in zip(examples, place, strict=True) if at != number]
        held = [example for example, at in zip(examples, place, strict=True) if at == number]
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
            likelihoods_of(problem, settings.rerank),
        )
        folds.append(_apply(linear, shortlist, held, settings, level_weights))
    return folds


def neighbours_of(linear: Linear, features: csr_matrix, settings: RerankParameters) -> Neighbours:
    """Index the products that a linear stage was fitted on, but for copies, with their features."""
    problem = linear.problem
    return index_neighbours(
        features[: problem.distinct],
        problem.labels[: problem.distinct],
        linear.vocabulary.terms,
        len(problem.taxonomy.classes),
        settings,
    )


def likelihoods_of(problem: LearningProblem, settings: RerankParameters) -> Likelihoods:
    """Count the values of a problem's products, but for copies."""
    return count_likelihoods(
        problem.products[: problem.distinct],
        problem.labels[: problem.distinct],
        len(problem.taxonomy.classes),
        most_pairs=settings.most_pairs,
    )


def choose_second_stage(
    folds: Sequence[Fold], settings: RerankParameters, *, precision: float
) -> SecondStage:
    """Fit the trees on all folds, if on folds that they have not seen they lower the log loss.

    The thresholds are those from which on a share of `precision` of the answers is right.
    """
    known = [int(fold.right.any(axis=1).sum()) for fold in folds]
    reranked = []
    for number, fold in enumerate(folds):
        if sum(known) == known[number]:  # the other folds have nothing to learn from
            reranked.append(fold.probabilities)
            continue
        others = [at for at in range(len(folds)) if at != number]
        reranked.append(fold.reranked(*_fit([folds[at] for at in others], settings)))
    products = sum(int((fold.labels[: len(fold.paths)] >= 0).sum()) for fold in folds) or 1
    before = sum(fold.log_loss(fold.probabilities) for fold in folds) / products
    after = (
        sum(fold.log_loss(found) for fold, found in zip(folds, reranked, strict=True)) / products
    )
    helps = after < before
    say(
        f"The second stage {'lowers' if helps else 'does not lower'} the log loss of products not "
        f"seen: {before:.3f} without it, {after:.3f} with it."
    )
    taken = reranked if helps else [fold.probabilities for fold in folds]
    thresholds = answer_thresholds(
        [
            confidences(fold.taxonomy, found[: len(fold.paths)], fold.paths)
            for fold, found in zip(folds, taken, strict=True)
        ],
        precision=precision,
    )
    trees, outside = _fit(folds, settings) if helps else (None, Outside(1, 0))
    text = to_text(trees) if trees is not None else None
    return SecondStage(text, outside, thresholds, before, after)


def _fit(folds: Sequence[Fold], settings: RerankParameters) -> tuple[lgb.Booster, Outside]:
    right = np.concatenate([fold.right for fold in folds])
    described = np.concatenate([fold.described for fold in folds])
    weights = np.concatenate([fold.weights for fold in folds])
    trees = fit_trees(described, right, weights, settings)
    rest = np.concatenate([fold.rest for fold in folds])
    return trees, fit_outside(rest, np.asarray(~right.any(axis=1)))


def _apply(
    linear: Linear,
    shortlist: Shortlist,
    held: Sequence[Example],
    settings: LearningParameters,
    level_weights: tuple[float, ...],
) -> Fold:
    """Let a fold's linear stage look at the products held out of it, and at copies of them."""
    problem = linear.problem
    featurizer = linear.vocabulary.featurizer(feature_spec(settings.features))
    rows = [(example.product, problem.label(example.path), 1.0) for example in held]
    rows += [
        (copy, label, weight)
        for product, label, _ in rows
        for copy, weight in with_fields_dropped(product, settings.fit)
    ]
    weights = for_depth(level_weights, problem.taxonomy.depth)
    products = [product for product, _, _ in rows]

    def look(
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

    parts = [look(products[at : at + _CHUNK]) for at in range(0, len(products), _CHUNK)]
    return Fold(
        taxonomy=problem.taxonomy,
        shortlist=shortlist,
        paths=[example.path for example in held],
        labels=np.array([label for _, label, _ in rows], np.int64),
        weights=np.array([weight for _, _, weight in rows], np.float64),
        probabilities=np.concatenate([one for one, _, _ in parts]),
        candidates=np.concatenate([one for _, one, _ in parts]),
        described=np.concatenate([one for _, _, one in parts]),
    )
