"""Decision trees: a random forest, and three libraries for gradient boosting.

Their features are the 256 dimensions of a truncated SVD or the 3,000 terms with the largest
chi-squared, whichever gave better results: on all terms they take many minutes per fold.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, chi2

from aisle.product import Product
from aisle_benchmark.candidates.base import Fitted, FoldedEarly, Pipeline, Training, Vectorizer

_SEED = 0


@dataclass(frozen=True)
class RandomForest(FoldedEarly):
    """Random forest (Breiman 2001)."""

    name: ClassVar[str] = "random-forest"
    title: ClassVar[str] = "random forest"
    seconds: ClassVar[float] = 80
    trees: int = 100
    terms: int = 3000

    def fit(self, training: Training) -> Fitted:
        """Fit on the terms with the largest chi-squared."""
        features, matrix = select(training, self.terms)
        model = RandomForestClassifier(self.trees, n_jobs=1, random_state=_SEED)
        return Pipeline(features, model.fit(matrix, training.labels))


@dataclass(frozen=True)
class XGBoost(FoldedEarly):
    """XGBoost (Chen & Guestrin 2016)."""

    name: ClassVar[str] = "xgboost"
    title: ClassVar[str] = "XGBoost"
    packages: ClassVar[dict[str, str]] = {"xgboost": "xgboost-cpu"}
    seconds: ClassVar[float] = 120
    terms: int = 3000
    rounds: int = 60
    depth: int = 6
    learning_rate: float = 0.2
    min_child_weight: float = 0.05
    share_of_features: float = 0.3

    def fit(self, training: Training) -> Fitted:
        """Fit on the terms with the largest chi-squared."""
        from xgboost import XGBClassifier  # noqa: PLC0415  # of the research extra

        features, matrix = select(training, self.terms)
        model = XGBClassifier(
            n_estimators=self.rounds,
            max_depth=self.depth,
            learning_rate=self.learning_rate,
            min_child_weight=self.min_child_weight,
            colsample_bytree=self.share_of_features,
            tree_method="hist",
            n_jobs=1,
            random_state=_SEED,
        )
        return Pipeline(features, model.fit(matrix, training.labels))


@dataclass(frozen=True)
class LightGBM(FoldedEarly):
    """LightGBM (Ke et al. 2017), with limited steps, because rare classes make it diverge."""

    name: ClassVar[str] = "lightgbm"
    title: ClassVar[str] = "LightGBM"
    packages: ClassVar[dict[str, str]] = {"lightgbm": "lightgbm"}
    seconds: ClassVar[float] = 120
    terms: int = 3000
    rounds: int = 80
    leaves: int = 15
    learning_rate: float = 0.1

    def fit(self, training: Training) -> Fitted:
        """Fit on the terms with the largest chi-squared."""
        features, matrix = select(training, self.terms)
        model = boosted(rounds=self.rounds, leaves=self.leaves, learning_rate=self.learning_rate)
        return Pipeline(features, Booster.fit(model, matrix, training.labels))


@dataclass(frozen=True)
class CatBoost(FoldedEarly):
    """CatBoost (Prokhorenkova et al. 2018)."""

    name: ClassVar[str] = "catboost"
    title: ClassVar[str] = "CatBoost"
    packages: ClassVar[dict[str, str]] = {"catboost": "catboost"}
    seconds: ClassVar[float] = 150
    rounds: int = 200
    depth: int = 6
    learning_rate: float = 0.3
    share_of_features: float = 0.2

    def fit(self, training: Training) -> Fitted:
        """Fit on the reduced features."""
        from catboost import CatBoostClassifier  # noqa: PLC0415  # of the research extra

        features, matrix = training.shared.reduced()
        model = CatBoostClassifier(
            iterations=self.rounds,
            depth=self.depth,
            learning_rate=self.learning_rate,
            rsm=self.share_of_features,
            # With so few products, its default takes ten times as long.
            boosting_type="Plain",
            leaf_estimation_iterations=1,
            border_count=64,
            loss_function="MultiClass",
            thread_count=1,
            random_seed=_SEED,
            verbose=False,
            allow_writing_files=False,
        )
        return Pipeline(features, model.fit(matrix, training.labels))


def boosted(*, rounds: int, leaves: int, learning_rate: float) -> Any:  # noqa: ANN401  # no types
    """Return an unfitted LightGBM classifier that does not diverge on rare classes."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # slow to import

    return LGBMClassifier(
        n_estimators=rounds,
        num_leaves=leaves,
        learning_rate=learning_rate,
        min_sum_hessian_in_leaf=1e-3,
        reg_lambda=1.0,
        max_delta_step=1.0,
        min_child_samples=5,
        n_jobs=1,
        random_state=_SEED,
        verbose=-1,
    )


@dataclass(frozen=True, slots=True)
class Booster:
    """A fitted LightGBM classifier, without scikit-learn's checks of feature names."""

    model: Any

    @classmethod
    def fit(cls, model: Any, matrix: Any, labels: Any) -> "Booster":  # noqa: ANN401  # no types
        """Fit a classifier."""
        logging.getLogger("lightgbm").setLevel(logging.ERROR)
        return cls(model.fit(matrix, labels).booster_)

    def predict_proba(self, matrix: Any) -> Any:  # noqa: ANN401  # no types
        """Return the probability of every class."""
        output = np.asarray(self.model.predict(matrix, num_threads=1))
        return output if output.ndim > 1 else np.stack([1 - output, output], axis=1)


@dataclass(frozen=True, slots=True)
class Selected:
    """The terms that separate the classes best, judged one by one."""

    features: Vectorizer
    selection: SelectKBest

    def transform(self, products: Sequence[Product]) -> csr_matrix:
        """Return float32 (products, selected terms)."""
        selected: csr_matrix = self.selection.transform(self.features.transform(products))
        return selected


def select(training: Training, terms: int) -> tuple[Selected, csr_matrix]:
    """Return the `terms` features with the largest chi-squared; cached for a table's fold."""
    features, matrix = training.shared.tfidf()

    def make() -> tuple[Selected, csr_matrix]:
        size = min(terms, matrix.shape[1])
        selection = SelectKBest(chi2, k=size).fit(matrix, training.labels)
        return Selected(features, selection), selection.transform(matrix)

    result: tuple[Selected, csr_matrix] = training.shared.once(
        f"chi2-{training.table}-{terms}", make
    )
    return result
