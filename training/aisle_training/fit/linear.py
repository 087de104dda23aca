"""The linear stage as fitted: SVMs over a problem's vocabulary, with dense weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from aisle.model.tfidf import Features
from aisle.progress import steps
from aisle_training.fit.problem import LearningProblem
from aisle_training.fit.svm import fit_svms
from aisle_training.fit.vocabulary import Vocabulary, collect, matrix
from aisle_training.parameters import FeatureParameters


@dataclass(frozen=True, slots=True)
class Linear:
    """The SVMs of a problem.

    `coefficients` are float32 (svms, terms + dimensions), `intercepts` float32 (svms,).
    """

    problem: LearningProblem
    vocabulary: Vocabulary
    coefficients: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def margins(self, features: Features) -> NDArray[np.float32]:
        """Return the SVMs' margins: float32 (products, svms)."""
        table = matrix(features, len(self.vocabulary.terms)).astype(np.float32)
        return np.asarray(table @ self.coefficients.T + self.intercepts, np.float32)


def fit_linear(
    problem: LearningProblem,
    settings: FeatureParameters,
    *,
    inverse_regularization: float,
    what: str,
) -> tuple[Linear, csr_matrix]:
    """Collect a problem's vocabulary and fit its SVMs; `what` labels the progress bar.

    Also returns the features: float64 (products, terms + dimensions).
    """
    vocabulary, features = collect_terms(problem, settings)
    with steps(what, len(problem.structure.class_sets)) as bar:
        coefficients, intercepts = fit_svms(
            features,
            problem.labels,
            problem.structure.class_sets,
            weights=problem.weights,
            inverse_regularization=inverse_regularization,
            steps=bar,
        )
    return Linear(problem, vocabulary, coefficients, intercepts), features


def collect_terms(
    problem: LearningProblem, settings: FeatureParameters
) -> tuple[Vocabulary, csr_matrix]:
    """Collect a problem's vocabulary and features; the more SVMs, the fewer terms are kept."""
    svms = max(1, len(problem.structure.class_sets))
    most = settings.max_weights // svms
    return collect(problem.products, settings, distinct=problem.distinct, max_terms=most)


def for_depth(level_weights: tuple[float, ...], depth: int) -> NDArray[np.float32]:
    """Adapt the weights of slots to a taxonomy that is deeper or shallower than the trial's."""
    *ancestors, own = level_weights
    stretched = [*ancestors, *[ancestors[-1]] * depth][:depth]
    return np.array([*stretched, own], np.float32)
