"""Ensembles: voting and stacking."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from aisle.product import Product
from aisle_benchmark.candidates.base import Candidate, Fitted, FoldedEarly, Training, Vectorizer
from aisle_benchmark.candidates.linear import LinearSVM, decisions, linear_scores
from aisle_benchmark.candidates.trees import Booster, boosted


@dataclass(frozen=True)
class Voting(Candidate):
    """The average of the linear members' probabilities, at the sum of their costs."""

    name: ClassVar[str] = "voting"
    title: ClassVar[str] = "voting ensemble of the three linear ones"
    seconds: ClassVar[float] = 2
    members: ClassVar[tuple[str, ...]] = ("naive-bayes", "logistic-regression", "linear-svm")


@dataclass(frozen=True)
class Stacked(FoldedEarly):
    """LightGBM on the margins of the linear SVM (Wolpert 1992).

    It learns from out-of-fold margins.
    """

    name: ClassVar[str] = "stacked"
    title: ClassVar[str] = "stacked: linear SVM → LightGBM"
    packages: ClassVar[dict[str, str]] = {"lightgbm": "lightgbm"}
    seconds: ClassVar[float] = 60
    rounds: int = 60
    leaves: int = 7
    learning_rate: float = 0.1

    def fit(self, training: Training) -> Fitted:
        """Fit on the margins of the linear SVM candidate, computed if necessary."""
        features, scores = linear_scores(training, LinearSVM().inverse_regularization)
        model = boosted(rounds=self.rounds, leaves=self.leaves, learning_rate=self.learning_rate)
        booster = Booster.fit(model, scores.margins, training.labels)
        return Stack(features, scores.model, booster)


@dataclass(frozen=True, slots=True)
class Stack:
    """A linear SVM and trees on its margins."""

    features: Vectorizer
    linear: LinearSVC
    booster: Booster

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float64]:
        """Return the probability of every class: (products, classes)."""
        margins = decisions(self.linear, self.features.transform(products))
        return np.asarray(self.booster.predict_proba(margins))

    def size_bytes(self) -> int:
        """Return the size of its pickle."""
        return len(pickle.dumps(self))
