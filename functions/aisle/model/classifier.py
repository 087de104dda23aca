"""A bundle that answers: products in, predictions out."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NoReturn, overload

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.model.bundle import (
    CATEGORIES,
    LIKELIHOODS,
    METRICS,
    MODEL,
    NEIGHBOURS,
    RERANKER,
    SCORERS,
    VECTORS,
    VOCABULARY,
    Bundle,
)
from aisle.model.evidence import find_evidence
from aisle.model.linear import Scorers
from aisle.model.onnx import load_session
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.candidates import Shortlist
from aisle.model.rerank.knn import Neighbours
from aisle.model.rerank.naive_bayes import Likelihoods
from aisle.model.rerank.trees import Reranker
from aisle.model.tfidf import Features, Featurizer
from aisle.product import Evidence, Prediction, Product, Scored
from aisle.taxonomy import Taxonomy

# Products looked at together, but for the product of weights.
_TOGETHER = 128
_VOCABULARY_LINE = re.compile(r"(?P<term>(?P<block>\w):[^\t]*)\t(?P<count>\d+)")
_NO_SCORERS = np.empty(0, np.int64)
_OUTPUTS = ["sums", "offsets", "weights", "directions"]


class Classifier:
    """Classify products with a model bundle.

    Loading checks nothing that `aisle.model.bundle` has checked already; it raises BundleError
    where the files do not fit together. An instance may be shared between threads.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.manifest = bundle.manifest
        self.metrics = bundle.json(METRICS)
        self.taxonomy = Taxonomy.from_json(bundle.json(CATEGORIES))
        self._session = load_session(bundle.files[MODEL], MODEL)
        terms, frequency = _vocabulary(bundle.files[VOCABULARY], self.manifest.features.weights)
        pieces, vectors = bundle.word_pieces()
        self.featurizer = Featurizer(
            self.manifest.features,
            terms,
            document_frequency=frequency,
            documents=self.manifest.documents,
            pieces=pieces,
            vectors=vectors,
        )
        self._scorers = Scorers.from_bytes(bundle.files[SCORERS])
        made_for = self._session.get_modelmeta().custom_metadata_map
        _check_size(MODEL, made_for.get("terms"), "terms", VOCABULARY, len(terms))
        _check_size(MODEL, made_for.get("dimensions"), "dimensions", VECTORS, vectors.shape[1])
        scorers, classes = self._scorers, len(self.taxonomy.classes)
        _check_size(MODEL, made_for.get("scorers"), "scorers", SCORERS, scorers.slots.max() + 1)
        _check_size(SCORERS, len(scorers.scale), "terms", VOCABULARY, len(terms))
        _check_size(SCORERS, len(scorers.slots), "classes", CATEGORIES, classes)
        self.reranker = _reranker(bundle, self.taxonomy) if bundle.files[RERANKER] else None

    @property
    def model_version(self) -> str:
        """The version of the model, as predictions carry it."""
        return self.manifest.model_version

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The ids of the categories that can be predicted, as `predict_proba` orders them."""
        return np.array([path[-1].id for path in self.taxonomy.classes], np.str_)

    def predict_proba(self, products: Iterable[str | Product]) -> NDArray[np.float32]:
        """Return the probability of every class: float32 (products, classes), rows sum to 1.

        Takes several products, in any iterable but a mapping; a text counts as a product's name.
        The columns are in the order of `classes_`. Raises TypeError for anything else.
        """
        given = _products(products)
        out = np.empty((len(given), len(self.taxonomy.classes)), np.float32)
        for at in range(0, len(given), _TOGETHER):
            part = given[at : at + _TOGETHER]
            features = self.featurizer.transform(part)
            probabilities, margins = self.score(features)
            if self.reranker is not None:
                probabilities = self.reranker.rerank(part, features, probabilities, margins)
            out[at : at + _TOGETHER] = probabilities
        return out

    def score(self, features: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the linear stage alone.

        Returns probabilities (products, classes) and the scorers' margins (products, scorers).
        """
        digits, worth = self._scorers.digits(features)
        # One by one: a product's vector is then multiplied in the same order whatever it is sent
        # with. The last bits of margins matter, since trees decide by thresholds.
        parts = [self._run(features, digits, row) for row in range(len(worth))]
        sums = np.stack([one[0] for one in parts])
        offsets = np.concatenate([one[1] for one in parts])
        margins = self._scorers.margins(sums, worth, offsets)
        return self._scorers.probabilities(margins), margins

    @overload
    def predict(  # type: ignore[overload-overlap]  # a text is a product, not several of one letter
        self, products: str | Product, *, top_k: int = 5, explain: bool = True
    ) -> Prediction: ...

    @overload
    def predict(
        self, products: Iterable[str | Product], *, top_k: int = 5, explain: bool = True
    ) -> list[Prediction]: ...

    def predict(
        self,
        products: str | Product | Iterable[str | Product],
        *,
        top_k: int = 5,
        explain: bool = True,
    ) -> Prediction | list[Prediction]:
        """Return the prediction for a product, or a list of them for several, in their order.

        A text counts as a product's name. `top_k` is the number of alternatives, other than the
        predicted category and its ancestors; `explain` asks for evidence, which costs about as much
        again as the prediction itself. Several products at once are answered faster than one by
        one; none give an empty list.

        A product without a letter or a digit gets what the model knows without text, and no
        evidence; `aisle.checks.check` raises InvalidProductError for it, as the API does.

        Raises TypeError for what is no product, for a field of another type and for a `top_k` that
        is no integer, and ValueError for a price that is not finite or negative, as `top_k`.

        >>> import aisle
        >>> prediction = aisle.load().predict("GoPro - Camera Mount Accessory Kit - Black")
        >>> prediction.answer.category.name
        'Action Camcorder Mounts'
        """
        given: object = top_k
        if not isinstance(given, Integral):
            raise TypeError(
                f"top_k is the number of alternatives, and {top_k!r} was given. Expected was an "
                "integer of 0 or more. Give that."
            )
        if top_k < 0:
            raise ValueError(
                f"top_k is the number of alternatives, and {top_k} was given. Expected was 0 or "
                "more. Give that."
            )
        if isinstance(products, str | Product):
            return next(self._predictions(_products([products]), top_k=top_k, explain=explain))
        return list(self._predictions(_products(products), top_k=top_k, explain=explain))

    def choose(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class that each row of probabilities decides for: int64 (products,)."""
        return np.asarray(probabilities.argmax(axis=1), np.int64)

    def _predictions(
        self, products: Sequence[Product], *, top_k: int, explain: bool
    ) -> Iterator[Prediction]:
        probabilities = self.predict_proba(products)
        rolled = self.taxonomy.roll_up(probabilities)
        chosen = self.choose(probabilities)
        others = rolled[:, self.taxonomy.ends]
        thresholds = self.manifest.answer_thresholds
        for row, product in enumerate(products):
            label = int(chosen[row])
            path = self.taxonomy.classes[label]
            nodes = self.taxonomy.ancestors[label, : len(path)]
            levels = tuple(
                Scored(path[: depth + 1], float(rolled[row, node]))
                for depth, node in enumerate(nodes)
            )
            sure = [
                level
                for level, threshold in zip(levels, thresholds, strict=False)
                if level.confidence >= threshold
            ]
            others[row, self.taxonomy.above[label]] = 0
            yield Prediction(
                category=levels[-1],
                levels=levels,
                answer=sure[-1] if sure else None,
                needs_review=not sure or sure[-1].path != path,
                alternatives=tuple(
                    Scored(self.taxonomy.classes[other], float(others[row, other]))
                    for other in _largest(others[row], top_k)
                    if others[row, other] > 0
                ),
                evidence=self._evidence(product, label) if explain else (),
                model_version=self.model_version,
            )

    def _evidence(self, product: Product, label: int) -> tuple[Evidence, ...]:
        """Return the words that the linear stage's score of a class comes from."""
        features = self.featurizer.transform([product])
        if not len(features.indices):
            return ()
        scorers = self._scorers
        digits, _ = scorers.digits(features)
        *_, weights, directions = self._run(features, digits, 0, explain=scorers.slots[label])
        shares = scorers.slot_weights[label]
        length = np.float32(self.featurizer.vector_weight)
        return find_evidence(
            product,
            self.featurizer.counter,
            features.indices,
            features.values * scorers.scale[features.indices] * (weights @ shares),
            self.featurizer.word_vectors.contributions(product, directions @ shares * length),
        )

    def _run(
        self,
        features: Features,
        digits: NDArray[np.uint8],
        row: int,
        *,
        explain: NDArray[np.int64] = _NO_SCORERS,
    ) -> tuple[Any, ...]:
        """Multiply a product's digits by its terms' weights.

        The outputs are those of `aisle_training.release.onnx_graph`.
        """
        first, last = features.indptr[row], features.indptr[row + 1]
        inputs = {
            "terms": features.indices[first:last],
            "digits": digits[:, first:last],
            "vectors": features.vectors[row : row + 1],
            "explain": explain,
        }
        return tuple(self._session.run(_OUTPUTS, inputs))


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return where the largest of some values are, the largest first, of equals the first."""
    if not 0 < count < len(values):
        return np.argsort(-values, kind="stable")[:count]
    # Sorting them all would take several times as long.
    least = np.partition(values, -count)[-count]
    able = np.flatnonzero(values >= least)
    return able[np.argsort(-values[able], kind="stable")][:count]


def _products(given: object) -> list[Product]:
    """Return products, made of their names where texts were given; TypeError for anything else."""
    if isinstance(given, str | Product):
        raise TypeError(
            f"{type(given).__name__} was given where several products were expected. Put it into a "
            "list."
        )
    single = isinstance(given, np.ndarray) and not given.ndim
    if isinstance(given, bytes | Mapping) or single or not isinstance(given, Iterable):
        hint = "Make it one: aisle.Product(**it)" if isinstance(given, Mapping) else "Give that"
        raise TypeError(
            f"{type(given).__name__} was given where a product was expected: a text, which counts "
            f"as its name, an aisle.Product, or several of them in a list. {hint}."
        )
    return [_product(number, one) for number, one in enumerate(given)]


def _product(number: int, given: object) -> Product:
    if isinstance(given, Product):
        price = given.price
        if not (price is None or (type(price) is float and 0 <= price < math.inf)):
            _check_price(number, price)
        for text in (given.name, given.description, given.manufacturer):
            if not (text is None or isinstance(text, str)):
                _refuse_texts(number, given)
        return given
    if isinstance(given, str):
        return Product(name=given)
    raise TypeError(
        f"Product {number} of those given (counted from 0) is of type {type(given).__name__}. "
        "Expected was an aisle.Product, or a text, which counts as its name. Make a Product of it."
    )


def _check_price(number: int, price: Any) -> None:  # noqa: ANN401  # whatever was given
    """Raise TypeError for what is no number, ValueError for one that is no price."""
    try:
        if isinstance(price, Real) and 0 <= float(price) < math.inf:
            return
        given = repr(price)
    except OverflowError:
        given = "an integer beyond all floats"
    raise (ValueError if isinstance(price, Real) else TypeError)(
        f"The price of product {number} of those given (counted from 0) is {given}. Expected was a "
        "finite number of 0 or more. Correct it, or give None where there is no price."
    )


def _refuse_texts(number: int, product: Product) -> NoReturn:
    """Raise TypeError that names the first field which is no text."""
    field, value = next(
        (field, value)
        for field in ("name", "description", "manufacturer")
        for value in (getattr(product, field),)
        if not (value is None or isinstance(value, str))
    )
    raise TypeError(
        f"The {field} of product {number} of those given (counted from 0) is {value!r}, of type "
        f"{type(value).__name__}. Expected was a text. Make one of it, or give None where there "
        "is none."
    )


def _reranker(bundle: Bundle, taxonomy: Taxonomy) -> Reranker:
    """Load a bundle's second stage."""
    neighbours = Neighbours.from_bytes(bundle.files[NEIGHBOURS])
    likelihoods = Likelihoods.from_bytes(bundle.files[LIKELIHOODS])
    classes = len(taxonomy.classes)
    for file, found in (
        (NEIGHBOURS, len(neighbours.products)),
        (LIKELIHOODS, likelihoods.absent.shape[-1]),
    ):
        _check_size(file, found, "classes", CATEGORIES, classes)
    return Reranker(
        bundle.files[RERANKER],
        RERANKER,
        Shortlist(taxonomy, neighbours, likelihoods),
        bundle.manifest.outside or Outside(1, 0),
    )


def _check_size(file: str, made_for: object, what: str, other: str, found: int) -> None:
    """Compare what a file of a bundle has with what another one was made for."""
    if str(made_for) != str(found):
        raise BundleError(
            f"The bundle's {file} is made for {made_for} {what}, its {other} has {found}. Export "
            "the model again."
        )


def _vocabulary(data: bytes, blocks: Iterable[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Parse lines of "term<tab>document frequency", the terms of known blocks."""
    known = frozenset(blocks)
    terms, counts = [], []
    for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
        match = _VOCABULARY_LINE.fullmatch(line)
        if match is None or match["block"] not in known:
            raise BundleError(
                f"The bundle's {VOCABULARY} cannot be read at line {number}. Expected a term that "
                f"begins with one of {', '.join(sorted(known))} and a colon, a tab, and a number. "
                "Export the model again."
            )
        terms.append(match["term"])
        counts.append(int(match["count"]))
    return terms, np.array(counts, np.int64)
