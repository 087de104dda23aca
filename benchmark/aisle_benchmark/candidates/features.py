"""Features that several candidates share, computed once for each fold and input."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from aisle.normalize import normalize
from aisle.product import Product
from aisle_benchmark.clock import processor_seconds

DIMENSIONS = 256
_PRICE_BINS_PER_DOUBLING = 2


def text_of(product: Product) -> str:
    """Return name and description as one normalised text.

    >>> text_of(Product("Pan, 28 cm", "Cast iron"))
    'pan 28 cm cast iron'
    """
    return f"{normalize(product.name)} {normalize(product.description)}".strip()


def attributes_of(product: Product) -> list[str]:
    """Return manufacturer and price as tokens.

    >>> attributes_of(Product("Pan", manufacturer="Ostra & Co", price=30.0))
    ['maker=ostra co', 'maker=ostra', 'maker=co', 'price=9']
    """
    maker = normalize(product.manufacturer)
    tokens = [f"maker={maker}", *(f"maker={word}" for word in maker.split())] if maker else []
    if product.price is not None:
        tokens.append(f"price={int(_PRICE_BINS_PER_DOUBLING * math.log2(1 + product.price))}")
    return list(dict.fromkeys(tokens))


class TextFeatures:
    """TF-IDF of words, word pairs and character n-grams, and of the attributes' tokens."""

    def __init__(self) -> None:
        common: dict[str, Any] = {
            "sublinear_tf": True,
            "min_df": 2,
            "dtype": np.float32,
            "lowercase": False,
        }
        self._words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", **common)  # noqa: S106  # not a secret
        self._characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **common)
        self._attributes = TfidfVectorizer(analyzer=_same, **common)
        self._has_attributes = False

    def fit_transform(self, products: Sequence[Product]) -> csr_matrix:
        """Learn the vocabulary; return the products' features, float32 (products, terms)."""
        texts = [text_of(product) for product in products]
        tokens = [attributes_of(product) for product in products]
        blocks = [self._words.fit_transform(texts), self._characters.fit_transform(texts)]
        self._has_attributes = any(tokens)
        if self._has_attributes:
            blocks.append(self._attributes.fit_transform(tokens))
        return csr_matrix(hstack(blocks, format="csr"))

    def transform(self, products: Sequence[Product]) -> csr_matrix:
        """Return the products' features, float32 (products, terms)."""
        texts = [text_of(product) for product in products]
        blocks = [self._words.transform(texts), self._characters.transform(texts)]
        if self._has_attributes:
            tokens = [attributes_of(product) for product in products]
            blocks.append(self._attributes.transform(tokens))
        return csr_matrix(hstack(blocks, format="csr"))


def _same(tokens: list[str]) -> list[str]:
    return tokens


@dataclass(frozen=True, slots=True)
class Reduced:
    """Features reduced to a few dense dimensions by truncated SVD (Deerwester et al. 1990)."""

    features: TextFeatures
    projection: NDArray[np.float32]

    def transform(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return float32 (products, dimensions)."""
        return np.asarray(self.features.transform(products) @ self.projection)


@dataclass(slots=True)
class Shared:
    """Shared work on a fold's training products, cached in a folder by name.

    `seconds` is the time of all work that was used, whichever candidate did it: it counts as
    training time of every candidate that uses it. `borrowed` is the part that others had done.
    """

    folder: Path
    products: Sequence[Product]
    seconds: float = 0.0
    borrowed: float = 0.0
    _loaded: dict[str, Any] = field(default_factory=dict)

    def tfidf(self) -> tuple[TextFeatures, csr_matrix]:
        """Return the features and the training products' matrix."""

        def make() -> tuple[TextFeatures, csr_matrix]:
            features = TextFeatures()
            return features, features.fit_transform(self.products)

        result: tuple[TextFeatures, csr_matrix] = self.once("tfidf", make)
        return result

    def reduced(self) -> tuple[Reduced, NDArray[np.float32]]:
        """Return the reduced features and the training products' matrix."""
        features, matrix = self.tfidf()

        def make() -> tuple[Reduced, NDArray[np.float32]]:
            size = min(DIMENSIONS, min(matrix.shape) - 1)
            svd = TruncatedSVD(size, n_iter=3, random_state=0)
            dense = svd.fit_transform(matrix).astype(np.float32)
            # Contiguous in this order, because a product with a sparse row would copy the other.
            projection = np.ascontiguousarray(svd.components_.T, np.float32)
            return Reduced(features, projection), dense

        result: tuple[Reduced, NDArray[np.float32]] = self.once("svd", make)
        return result

    def once(self, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401  # any type
        """Return the cached result under a name; without one, call `make` and cache its result."""
        if name in self._loaded:
            return self._loaded[name]
        path = self.folder / f"{name}.joblib"
        if path.exists():
            value, seconds = joblib.load(path)
            self.borrowed += seconds
        else:
            before, began = self.seconds, processor_seconds()
            value = make()
            # Without the nested shared work, which is counted already.
            seconds = processor_seconds() - began - (self.seconds - before)
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".part")
            joblib.dump((value, seconds), temporary)
            temporary.replace(path)
        self.seconds += seconds
        self._loaded[name] = value
        return value
