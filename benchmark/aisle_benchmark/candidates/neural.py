"""A multi-layer perceptron."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.neural_network import MLPClassifier

from aisle_benchmark.candidates.base import Fitted, FoldedEarly, Pipeline, Training


@dataclass(frozen=True)
class Perceptron(FoldedEarly):
    """One hidden layer on the reduced features, with early stopping on held-out products."""

    name: ClassVar[str] = "mlp"
    title: ClassVar[str] = "MLP"
    seconds: ClassVar[float] = 25
    hidden: int = 256
    epochs: int = 80

    def fit(self, training: Training) -> Fitted:
        """Fit on the reduced features."""
        features, matrix = training.shared.reduced()
        model = MLPClassifier(
            (self.hidden,),
            learning_rate_init=2e-3,
            max_iter=self.epochs,
            early_stopping=len(training.labels) > 10 * training.classes,
            n_iter_no_change=5,
            random_state=0,
        )
        return Pipeline(features, model.fit(matrix, training.labels))
