"""Stage 3, fit: prepared products -> a trained model, with all choices made on validation data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, vstack
from scipy.special import softmax

from aisle.errors import DataError
from aisle.model.hierarchy import class_scores
from aisle.model.tfidf import Features, FeatureSpec
from aisle.progress import say, steps
from aisle.taxonomy import Taxonomy
from aisle_training.data.prepare import Example, Prepared
from aisle_training.fit.calibrate import NEVER, fit_level_weights
from aisle_training.fit.crossfit import (
    SecondStage,
    choose_second_stage,
    cross_fit,
    naive_bayes_of,
    neighbours_of,
)
from aisle_training.fit.linear import collect_terms, fit_linear, for_depth
from aisle_training.fit.problem import LearningProblem, make_problem
from aisle_training.fit.rerank import TrainedReranker
from aisle_training.fit.svm import fit_svms
from aisle_training.fit.vocabulary import Vocabulary, feature_spec, matrix
from aisle_training.parameters import FitParameters, LearningParameters

# Two candidates within so many standard errors count as equally good.
_NOISE = 2
# A product has one price and few words of a manufacturer, so their small weights matter too.
_NEVER_PRUNED = ("m", "p")

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A candidate, and the share of nodes on the validation products' paths that it gets right."""

    inverse_regularization: float
    min_products: int
    node_accuracy: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """The choices made on held-out products, with all candidates that were tried.

    The log losses are those without and with the second stage, None where nothing was cross-fitted.
    """

    inverse_regularization: float
    min_products: int
    level_weights: tuple[float, ...]
    thresholds: tuple[float, ...]
    linear_log_loss: float | None
    reranked_log_loss: float | None
    candidates: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model, with the numbers that will be served.

    `weights` int8 (terms, svms) times `scale` float32 (terms,) are the SVMs' coefficients,
    `vector_weights` float32 (dimensions, svms) those of the products' vectors, `intercepts` is
    float32 (svms,). `slots` and `slot_weights` (classes, slots) combine margins to the scores of
    classes. Softmax of the scores is the linear stage's probabilities; the second stage, if there
    is one, redistributes them among the candidates.
    """

    spec: FeatureSpec
    vocabulary: Vocabulary
    taxonomy: Taxonomy
    weights: csr_matrix
    scale: NDArray[np.float32]
    vector_weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    slots: NDArray[np.int64]
    slot_weights: NDArray[np.float32]
    reranker: TrainedReranker | None
    choice: Choice

    def linear(self, features: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return probabilities (products, classes) and margins (products, svms), with scipy."""
        table = matrix(features, len(self.vocabulary.terms))
        coefficients = diags_array(self.scale) @ self.weights.astype(np.float32)
        margins = (table[:, : len(self.scale)] @ coefficients).toarray().astype(np.float32)
        margins += features.vectors @ self.vector_weights + self.intercepts
        return softmax(class_scores(margins, self.slots, self.slot_weights), axis=1), margins


def fit(prepared: Prepared, settings: LearningParameters) -> TrainedModel:
    """Choose on train against validation, then fit the choice on both, never on the test.

    Raises DataError where the products have fewer than two categories.
    """
    choice = _choose(prepared, settings)
    examples = [*prepared.train, *prepared.validation]
    second = _second_stage(examples, settings, choice)
    if second is not None:
        choice = replace(
            choice,
            thresholds=second.thresholds,
            linear_log_loss=second.linear_log_loss,
            reranked_log_loss=second.reranked_log_loss,
        )
    _warn_of_levels_never_sure(choice, settings.precision)
    problem = make_problem(
        examples, settings.fit, min_products=choice.min_products, others=prepared.test
    )
    linear, features = fit_linear(
        problem,
        settings.features,
        inverse_regularization=choice.inverse_regularization,
        what="fitting on train and validation",
    )
    reranker = None
    if second is not None and second.trees is not None:
        neighbours = neighbours_of(linear, features, settings.rerank)
        naive_bayes = naive_bayes_of(problem, settings.rerank)
        reranker = TrainedReranker(second.trees, second.outside, neighbours, naive_bayes)
    terms = len(linear.vocabulary.terms)
    few = [
        number for number, term in enumerate(linear.vocabulary.terms) if term[0] in _NEVER_PRUNED
    ]
    weights, scale = quantize(linear.coefficients[:, :terms], settings.prune_below, few)
    slot_weights = problem.structure.used * for_depth(choice.level_weights, problem.taxonomy.depth)
    return TrainedModel(
        spec=feature_spec(settings.features),
        vocabulary=linear.vocabulary,
        taxonomy=problem.taxonomy,
        weights=weights,
        scale=scale,
        vector_weights=np.ascontiguousarray(linear.coefficients[:, terms:].T),
        intercepts=linear.intercepts,
        slots=problem.structure.slots,
        slot_weights=slot_weights,
        reranker=reranker,
        choice=choice,
    )


def _second_stage(
    examples: Sequence[Example], settings: LearningParameters, choice: Choice
) -> SecondStage | None:
    """Cross-fit; return None without folds, or with too few categories in one."""
    if not settings.rerank.folds:
        return None
    try:
        folds = cross_fit(
            examples,
            settings,
            inverse_regularization=choice.inverse_regularization,
            min_products=choice.min_products,
            level_weights=choice.level_weights,
        )
    except DataError as error:
        say(f"No second stage, and every answer needs review: {error}")
        return None
    return choose_second_stage(folds, settings.rerank, precision=settings.precision)


def _warn_of_levels_never_sure(choice: Choice, precision: float) -> None:
    levels = [
        level for level, threshold in enumerate(choice.thresholds, start=1) if threshold == NEVER
    ]
    if levels:
        say(
            f"At level {', '.join(map(str, levels))}, no threshold gives answers of which "
            f"{precision:.0%} are right: all of them need review."
        )


def right_nodes(
    chosen: Sequence[Sequence[str]], true: Sequence[Sequence[str]]
) -> NDArray[np.int64]:
    """Return how many nodes of each true path (of ids) are predicted: int64 (products,)."""
    return np.array(
        [
            sum(node == expected for node, expected in zip(predicted, path, strict=False))
            for predicted, path in zip(chosen, true, strict=True)
        ],
        np.int64,
    )


def smallest_as_good(right: Mapping[Number, NDArray[np.int64]]) -> Number:
    """Return the smallest value that is as good as the best one, within noise.

    `right` counts the right nodes of each product for a value, int64 (products,). The noise is two
    standard errors of the paired difference (after the one-standard-error rule: Breiman et al.
    1984). Of two regularisations that are equally good, the stronger one is safer; of two foldings,
    the finer one can still answer with categories that the coarser one folds away.
    """
    best = max(right, key=lambda value: int(right[value].sum()))
    behind = {value: right[best] - counts for value, counts in right.items()}
    noise = {value: _NOISE * gap.std() * sqrt(len(gap)) for value, gap in behind.items()}
    return min(value for value, gap in behind.items() if gap.sum() <= noise[value])


def _choose(prepared: Prepared, settings: LearningParameters) -> Choice:
    """Try the candidates on train against validation: the regularisation, then the folding."""
    regularizations, minima = settings.fit.inverse_regularization, settings.fit.min_products
    middle = Attempt(
        regularizations[len(regularizations) // 2], minima[len(minima) // 2], node_accuracy=None
    )
    if not prepared.validation:
        say("No product is left for validation: parameters keep their middle candidates.")
        weights = (settings.fit.ancestor_weight, 1.0)
        return Choice(
            middle.inverse_regularization,
            middle.min_products,
            weights,
            thresholds=(),
            linear_log_loss=None,
            reranked_log_loss=None,
            candidates=(middle,),
        )

    trial = _Trial(prepared, settings)
    tried = [trial.run(value, middle.min_products) for value in regularizations]
    strengths = {attempt.inverse_regularization: trial.right[attempt] for attempt in tried}
    regularization = smallest_as_good(strengths)
    tried += [trial.run(regularization, value) for value in minima if value != middle.min_products]
    foldings = {
        attempt.min_products: attempt
        for attempt in tried
        if attempt.inverse_regularization == regularization
    }
    right = {value: trial.right[attempt] for value, attempt in foldings.items()}
    best = foldings[smallest_as_good(right)]
    say(
        f"Chosen on {len(prepared.validation)} validation products: inverse regularisation "
        f"{best.inverse_regularization:g}, classes of at least {best.min_products} products; "
        f"{best.node_accuracy:.4f} of their nodes are right."
    )
    problem = trial.problem(best.min_products)
    margins = trial.margins(problem, best.inverse_regularization)
    paths = [example.path for example in prepared.validation]
    level_weights = fit_level_weights(
        lambda rows: problem.structure.margins(margins[rows]),
        np.array([problem.label(path) for path in paths]),
        _start_weights(problem.taxonomy.depth, settings.fit),
    )
    return Choice(
        best.inverse_regularization,
        best.min_products,
        tuple(map(float, level_weights)),
        thresholds=(),
        linear_log_loss=None,
        reranked_log_loss=None,
        candidates=tuple(tried),
    )


class _Trial:
    """SVMs fitted on train, and their margins on validation, each computed once.

    `right` holds the result of `right_nodes` for every candidate that was run.
    """

    def __init__(self, prepared: Prepared, settings: LearningParameters) -> None:
        self._prepared = prepared
        self._settings = settings.fit
        self._problems: dict[int, LearningProblem] = {}
        self._margins: dict[tuple[float, tuple[str, ...]], NDArray[np.float32]] = {}
        self.right: dict[Attempt, NDArray[np.int64]] = {}
        # The finest problem has the most SVMs; its vocabulary serves every candidate.
        problem = self.problem(min(settings.fit.min_products))
        vocabulary, self._features = collect_terms(problem, settings.features)
        featurizer = vocabulary.featurizer(feature_spec(settings.features))
        validation = featurizer.transform([example.product for example in prepared.validation])
        self._validation = matrix(validation, len(vocabulary.terms)).astype(np.float32)

    def problem(self, min_products: int) -> LearningProblem:
        if min_products not in self._problems:
            self._problems[min_products] = make_problem(
                self._prepared.train, self._settings, min_products=min_products
            )
        return self._problems[min_products]

    def run(self, inverse_regularization: float, min_products: int) -> Attempt:
        problem = self.problem(min_products)
        margins = self.margins(problem, inverse_regularization)
        weights = _start_weights(problem.taxonomy.depth, self._settings)
        scores = problem.structure.scores(margins, weights)
        chosen = [problem.taxonomy.classes[label] for label in scores.argmax(axis=1)]
        true = [[node.id for node in example.path] for example in self._prepared.validation]
        right = right_nodes([[node.id for node in path] for path in chosen], true)
        accuracy = float(right.sum() / sum(map(len, true)))
        candidate = Attempt(inverse_regularization, min_products, accuracy)
        self.right[candidate] = right
        return candidate

    def margins(
        self, problem: LearningProblem, inverse_regularization: float
    ) -> NDArray[np.float32]:
        """Return the SVMs' margins on validation; fit the SVMs that are not fitted yet."""
        members: dict[int, list[str]] = {}
        for own, label in problem.class_of.items():
            members.setdefault(label, []).append(own)
        # SVMs with the same positive products are the same, whatever the folding.
        names = [
            (
                inverse_regularization,
                tuple(sorted(own for label in class_set for own in members[label])),
            )
            for class_set in problem.structure.class_sets
        ]
        missing = [
            class_set
            for class_set, name in zip(problem.structure.class_sets, names, strict=True)
            if name not in self._margins
        ]
        if missing:
            what = f"trying regularisation {inverse_regularization:g}"
            with steps(what, len(missing)) as bar:
                coefficients, intercepts = fit_svms(
                    self._features,
                    problem.labels,
                    missing,
                    weights=problem.weights,
                    inverse_regularization=inverse_regularization,
                    steps=bar,
                )
            margins = self._validation @ coefficients.T + intercepts
            where = dict(zip(problem.structure.class_sets, names, strict=True))
            for at, class_set in enumerate(missing):
                self._margins[where[class_set]] = margins[:, at]
        return np.stack([self._margins[name] for name in names], axis=1)


def _start_weights(depth: int, settings: FitParameters) -> NDArray[np.float32]:
    """Return the initial weights of the slots: the ancestors', and a class's own."""
    return np.array([*[settings.ancestor_weight] * depth, 1.0], np.float32)


def quantize(
    coefficients: NDArray[np.float32], prune_below: float, whole: Sequence[int]
) -> tuple[csr_matrix, NDArray[np.float32]]:
    """Return int8 weights (terms, svms) and the scale of each term.

    Weights below a share of their term's largest are pruned, except for the terms in `whole`: most
    weights are, and decisions hardly change.
    """
    least = np.full((coefficients.shape[1], 1), prune_below, np.float32)
    least[whole] = 0
    rows = []
    scale = np.abs(coefficients).max(axis=0)
    scale[scale == 0] = 1
    for start in range(0, coefficients.shape[1], 4096):
        relative = (coefficients[:, start : start + 4096] / scale[start : start + 4096]).T
        relative[np.abs(relative) < least[start : start + 4096]] = 0
        rows.append(csr_matrix(np.rint(relative * 127).astype(np.int8)))
    return vstack(rows).tocsr(), (scale / 127).astype(np.float32)
