"""Linear models on TF-IDF."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

from aisle.product import Product
from aisle_benchmark.candidates.base import Fitted, FoldedEarly, Pipeline, Training, Vectorizer
from aisle_benchmark.candidates.features import TextFeatures

INNER_FOLDS = 3


@dataclass(frozen=True)
class NaiveBayes(FoldedEarly):
    """Multinomial naive Bayes on TF-IDF weights, as Rennie et al. (2003) recommend."""

    name: ClassVar[str] = "naive-bayes"
    title: ClassVar[str] = "multinomial naive Bayes"
    seconds: ClassVar[float] = 10
    smoothing: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)

    def fit(self, training: Training) -> Fitted:
        """Choose the smoothing by cross-validation, then fit on all training products."""
        features, matrix = training.shared.tfidf()
        best = choose(self.smoothing, lambda value: MultinomialNB(alpha=value), matrix, training)
        return Pipeline(features, MultinomialNB(alpha=best).fit(matrix, training.labels))


@dataclass(frozen=True)
class LogisticRegression(FoldedEarly):
    """Multinomial logistic regression; held-out training products choose its regularisation."""

    name: ClassVar[str] = "logistic-regression"
    title: ClassVar[str] = "logistic regression"
    seconds: ClassVar[float] = 80
    inverse_regularization: tuple[float, ...] = (30.0, 100.0)
    tolerance: float = 1e-4
    tolerance_of_trials: float = 1e-3

    def fit(self, training: Training) -> Fitted:
        """Choose the regularisation on one held-out fold, then fit on all training products."""
        features, matrix = training.shared.tfidf()

        def attempt(value: float) -> Any:  # noqa: ANN401  # scikit-learn has no types
            return self._model(value, self.tolerance_of_trials)

        best = choose(self.inverse_regularization, attempt, matrix, training, folds=1)
        model = self._model(best, self.tolerance)
        return Pipeline(features, model.fit(matrix, training.labels))

    @staticmethod
    def _model(inverse_regularization: float, tolerance: float) -> Any:  # noqa: ANN401  # no types
        return SklearnLogisticRegression(C=inverse_regularization, max_iter=200, tol=tolerance)


@dataclass(frozen=True)
class LinearSVM(FoldedEarly):
    """One-vs-rest linear SVM; cross-validation in the training products chooses C.

    The probabilities are the softmax of the margins at a temperature (Guo et al. 2017), which is
    fitted on out-of-fold margins.
    """

    name: ClassVar[str] = "linear-svm"
    title: ClassVar[str] = "linear SVM"
    seconds: ClassVar[float] = 100
    inverse_regularization: tuple[float, ...] = (0.3, 1.0, 3.0)

    def fit(self, training: Training) -> Fitted:
        """Choose C, calibrate, then fit on all training products."""
        features, scores = linear_scores(training, self.inverse_regularization)
        return Margins(features, scores.model, temperature(scores.margins, training.labels))


@dataclass(frozen=True, slots=True)
class LinearScores:
    """A linear SVM, and the out-of-fold margins (products, classes) of its training products."""

    model: LinearSVC
    margins: NDArray[np.float32]


def linear_scores(
    training: Training, inverse_regularization: tuple[float, ...]
) -> tuple[TextFeatures, LinearScores]:
    """Return the SVM with the best C and its out-of-fold margins; cached for a table's fold."""
    features, matrix = training.shared.tfidf()
    choices = "-".join(f"{value:g}" for value in inverse_regularization)

    def make() -> LinearScores:
        labels, tried = training.labels, []
        for value in inverse_regularization:
            margins = np.full((len(labels), training.classes), -1, np.float32)
            for inside, outside in inner_folds(training):
                model = LinearSVC(C=value).fit(matrix[inside], labels[inside])
                margins[np.ix_(outside, model.classes_)] = decisions(model, matrix[outside])
            tried.append((float((margins.argmax(axis=1) == labels).mean()), value, margins))
        _, best, margins = max(tried, key=lambda trial: trial[0])
        return LinearScores(LinearSVC(C=best).fit(matrix, labels), margins)

    name = f"svm-{training.table}-{choices}"
    scores: LinearScores = training.shared.once(name, make)
    return features, scores


def decisions(model: LinearSVC, matrix: csr_matrix) -> NDArray[np.float32]:
    """Return the margin of every class, even for two classes: float32 (products, classes)."""
    margins = np.asarray(model.decision_function(matrix), np.float32)
    return margins if margins.ndim > 1 else np.stack([-margins, margins], axis=1)


def inner_folds(training: Training) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return grouped folds of the training products, as pairs of training and held-out rows."""
    size = min(INNER_FOLDS, len(set(training.groups)))
    return list(GroupKFold(size).split(training.labels, groups=training.groups))


def temperature(margins: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the factor for margins that minimises the log loss of their softmax."""
    rows = np.arange(len(labels))

    def loss(log_factor: float) -> float:
        return -float(log_softmax(np.exp(log_factor) * margins, axis=1)[rows, labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 5), method="bounded").x))


def choose(
    values: tuple[float, ...],
    make: Any,  # noqa: ANN401  # a function from a value to an estimator
    matrix: csr_matrix,
    training: Training,
    *,
    folds: int = INNER_FOLDS,
) -> float:
    """Return the value with the most right answers on held-out folds of the training products."""
    labels = training.labels
    tried = []
    for value in values:
        right = 0
        for inside, outside in inner_folds(training)[:folds]:
            model = make(value).fit(matrix[inside], labels[inside])
            right += int((model.predict(matrix[outside]) == labels[outside]).sum())
        tried.append((right, value))
    return max(tried, key=lambda trial: trial[0])[1]


@dataclass(frozen=True, slots=True)
class Margins:
    """A linear SVM with calibrated probabilities: softmax of `factor` times its margins."""

    features: Vectorizer
    model: LinearSVC
    factor: float

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return the probability of every class: float32 (products, classes)."""
        margins = decisions(self.model, self.features.transform(products))
        return np.asarray(softmax(self.factor * margins, axis=1), np.float32)

    def size_bytes(self) -> int:
        """Return the size of its pickle."""
        return len(pickle.dumps(self))
