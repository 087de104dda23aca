"""Classify products with a bundle: products in, predictions out."""

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
    LINEAR,
    METRICS,
    PIECES,
    RERANKER,
    VOCABULARY,
    Bundle,
)
from aisle.model.evidence import find_evidence
from aisle.model.hierarchy import structure
from aisle.model.linear import LinearStage
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.candidates import Shortlist
from aisle.model.rerank.naive_bayes import COUNTED
from aisle.model.rerank.trees import Reranker
from aisle.model.tfidf import Features, Featurizer
from aisle.product import Evidence, Prediction, Product, Scored
from aisle.taxonomy import Taxonomy

# Products processed together.
_CHUNK = 128
_VOCABULARY_LINE = re.compile(r"(?P<term>(?P<block>\w):[^\t]*)\t(?P<count>[0-9]{1,18})")


class Classifier:
    """Classify products with a model bundle.

    Raises BundleError where the bundle's files do not match each other; `aisle.model.bundle` has
    verified that they are the exported ones. An instance may be shared between threads.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.manifest = bundle.manifest
        self.metrics = bundle.json(METRICS)
        self.taxonomy = Taxonomy.from_json(bundle.json(CATEGORIES))
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
        self.linear_stage = bundle.linear_stage()
        _check_linear_stage(
            self.linear_stage,
            terms=len(terms),
            dimensions=vectors.shape[1],
            classes=len(self.taxonomy.classes),
        )
        self.reranker = (
            _reranker(
                bundle,
                self.taxonomy,
                terms=len(terms),
                svms=len(self.linear_stage.intercepts),
            )
            if bundle.files[RERANKER]
            else None
        )

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

        Takes an iterable of products or texts (a text is a product's name), but no mapping. The
        columns are in the order of `classes_`. Raises TypeError for any other argument or field
        type, ValueError for a price that is not finite or is negative.
        """
        checked = _products(products)
        result = np.empty((len(checked), len(self.taxonomy.classes)), np.float32)
        starts = range(0, len(checked), _CHUNK)
        for start, (_, _, probabilities) in zip(starts, self._chunks(checked), strict=True):
            result[start : start + _CHUNK] = probabilities
        return result

    def _chunks(
        self, products: Sequence[Product]
    ) -> Iterator[tuple[Sequence[Product], Features, NDArray[np.float32]]]:
        """Yield products in chunks, with their features and probabilities (products, classes)."""
        for start in range(0, len(products), _CHUNK):
            chunk = products[start : start + _CHUNK]
            features = self.featurizer.transform(chunk)
            margins = self.linear_stage.margins(features)
            probabilities = self.linear_stage.probabilities(margins)
            if self.reranker is not None:
                probabilities = self.reranker.rerank(chunk, features, probabilities, margins)
            yield chunk, features, probabilities

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
        predicted category and its ancestors. `explain=False` omits the evidence, which takes time.
        A list is faster than a call per product; an empty one gives an empty list.

        A product without any letter or digit gets the prediction of an empty text and no evidence;
        `aisle.checks.check` raises InvalidProductError for it, as the API does.

        Raises TypeError for an argument that is not a product, a field of another type, or a
        `top_k` that is not an integer; ValueError for a price that is not finite or is negative,
        and for a negative `top_k`.

        >>> import aisle
        >>> prediction = aisle.load().predict("GoPro - Camera Mount Accessory Kit - Black")
        >>> prediction.answer.category.name
        'Action Camcorder Mounts'
        """
        count: object = top_k
        if not isinstance(count, Integral):
            raise TypeError(
                f"top_k is the number of alternatives; {top_k!r} was given. Expected an integer of "
                "0 or more. Change it."
            )
        if top_k < 0:
            raise ValueError(
                f"top_k is the number of alternatives; {top_k} was given. Expected 0 or more. "
                "Change it."
            )
        if isinstance(products, str | Product):
            return next(self._predictions(_products([products]), top_k=top_k, explain=explain))
        return list(self._predictions(_products(products), top_k=top_k, explain=explain))

    def choose(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the predicted class of each row of probabilities: int64 (products,)."""
        return np.asarray(probabilities.argmax(axis=1), np.int64)

    def _predictions(
        self, products: Sequence[Product], *, top_k: int, explain: bool
    ) -> Iterator[Prediction]:
        for chunk, features, probabilities in self._chunks(products):
            yield from self._chunk_predictions(
                chunk, features, probabilities, top_k=top_k, explain=explain
            )

    def _chunk_predictions(
        self,
        products: Sequence[Product],
        features: Features,
        probabilities: NDArray[np.float32],
        *,
        top_k: int,
        explain: bool,
    ) -> Iterator[Prediction]:
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
                    for other in largest(others[row], top_k)
                    if others[row, other] > 0
                ),
                evidence=(
                    self._evidence(product, features.rows(row, row + 1), label) if explain else ()
                ),
                model_version=self.model_version,
            )

    def _evidence(self, product: Product, features: Features, label: int) -> tuple[Evidence, ...]:
        """Return the words that the linear stage's score of a class comes from."""
        if not len(features.indices):
            return ()
        direction = self.linear_stage.direction(label) * np.float32(self.featurizer.vector_weight)
        return find_evidence(
            product,
            self.featurizer.counter,
            features.indices,
            self.linear_stage.contributions(features, label),
            self.featurizer.word_vectors.contributions(product, direction),
        )


def largest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the indices of the `count` largest values, largest first; ties keep their order."""
    if not 0 < count < len(values):
        return np.argsort(-values, kind="stable")[:count]
    # Sorting all of them would take several times as long.
    least = np.partition(values, -count)[-count]
    candidates = np.flatnonzero(values >= least)
    return candidates[np.argsort(-values[candidates], kind="stable")][:count]


def _products(argument: object) -> list[Product]:
    """Return an argument's products; a text becomes a product with that name.

    Raises TypeError for anything that is not an iterable of products or texts.
    """
    if isinstance(argument, str | Product):
        raise TypeError(
            f"A single {type(argument).__name__} was given. Expected several products. Put it into "
            "a list."
        )
    scalar = isinstance(argument, np.ndarray) and not argument.ndim
    if isinstance(argument, bytes | Mapping) or scalar or not isinstance(argument, Iterable):
        mapping = isinstance(argument, Mapping)
        hint = "Convert it: aisle.Product(**mapping)" if mapping else "Pass one of these"
        raise TypeError(
            f"A {type(argument).__name__} was given. Expected a product: a text (its name), an "
            f"aisle.Product, or several of them in a list. {hint}."
        )
    return [_product(index, item) for index, item in enumerate(argument)]


def _product(index: int, item: object) -> Product:
    if isinstance(item, Product):
        price = item.price
        if not (price is None or (type(price) is float and 0 <= price < math.inf)):
            _check_price(index, price)
        for text in (item.name, item.description, item.manufacturer):
            if not (text is None or isinstance(text, str)):
                _refuse_texts(index, item)
        return item
    if isinstance(item, str):
        return Product(name=item)
    raise TypeError(
        f"Product {index} (counted from 0) is a {type(item).__name__}. Expected an aisle.Product "
        "or a text (its name). Convert it to a Product."
    )


def _check_price(index: int, price: Any) -> None:  # noqa: ANN401  # any argument
    """Raise TypeError for a price that is not a number, ValueError for one out of range."""
    try:
        if isinstance(price, Real) and 0 <= float(price) < math.inf:
            return
        shown = repr(price)
    except OverflowError:
        shown = "an integer too large for a float"
    raise (ValueError if isinstance(price, Real) else TypeError)(
        f"The price of product {index} (counted from 0) is {shown}. Expected a finite number of 0 "
        "or more. Correct it, or pass None where the price is unknown."
    )


def _refuse_texts(index: int, product: Product) -> NoReturn:
    """Raise a TypeError that names the first field that is not a text."""
    field, value = next(
        (field, value)
        for field in ("name", "description", "manufacturer")
        for value in (getattr(product, field),)
        if not (value is None or isinstance(value, str))
    )
    raise TypeError(
        f"The {field} of product {index} (counted from 0) is {value!r}, of type "
        f"{type(value).__name__}. "
        f"Expected a text. Convert it, or pass None where the {field} is unknown."
    )


def _check_linear_stage(stage: LinearStage, *, terms: int, dimensions: int, classes: int) -> None:
    """Raise BundleError where the linear stage does not match itself or the other files."""
    svms = len(stage.intercepts)
    weights = int(stage.indptr[-1]) if len(stage.indptr) else 0
    for array, size, what, source, expected in (
        ("indptr", len(stage.indptr) - 1, "terms", VOCABULARY, terms),
        ("scale", len(stage.scale), "terms", VOCABULARY, terms),
        ("indices", len(stage.indices), "weights", "indptr", weights),
        ("data", len(stage.data), "weights", "indptr", weights),
        ("vector_weights", stage.vector_weights.shape[-1], "dimensions", PIECES, dimensions),
        ("vector_weights", len(stage.vector_weights), "SVMs", "intercepts", svms),
        ("slots", len(stage.slots), "classes", CATEGORIES, classes),
        ("slot_weights", len(stage.slot_weights), "classes", CATEGORIES, classes),
    ):
        _check_size(f"linear stage ({array})", size, what, source, expected)
    _check_runs("linear stage (indptr)", stage.indptr)
    if stage.slots.shape != stage.slot_weights.shape:
        raise BundleError(
            f"The bundle's linear stage has slots {stage.slots.shape} and slot_weights "
            f"{stage.slot_weights.shape}. Expected the same. Export the model again."
        )
    for array, largest in (("indices", stage.indices), ("slots", stage.slots)):
        if largest.size and not 0 <= largest.min() <= largest.max() < svms:
            raise BundleError(
                f"The bundle's linear stage has {svms} SVMs; its {array} name number "
                f"{largest.max()}. Export the model again."
            )


def _reranker(bundle: Bundle, taxonomy: Taxonomy, *, terms: int, svms: int) -> Reranker:
    """Load a bundle's second stage."""
    neighbours, naive_bayes = bundle.nearest_neighbours(), bundle.naive_bayes()
    postings = int(neighbours.starts[-1]) if len(neighbours.starts) else 0
    classes = len(taxonomy.classes)
    for part, size, what, source, expected in (
        ("nearest neighbours", len(neighbours.starts) - 1, "terms", VOCABULARY, terms),
        ("nearest neighbours", len(neighbours.products), "classes", CATEGORIES, classes),
        ("nearest neighbours (kept)", len(neighbours.kept), "classes", CATEGORIES, classes),
        ("nearest neighbours (rows)", len(neighbours.rows), "postings", "starts", postings),
        ("nearest neighbours (values)", len(neighbours.values), "postings", "starts", postings),
        ("naive Bayes", naive_bayes.absent.shape[-1], "classes", CATEGORIES, classes),
        ("naive Bayes", len(naive_bayes.absent), "fields", "Aisle", len(COUNTED)),
        ("naive Bayes (gains)", len(naive_bayes.gains), "pairs", "pairs", len(naive_bayes.pairs)),
        ("second stage", len(structure(taxonomy).class_sets), "SVMs", LINEAR, svms),
    ):
        _check_size(part, size, what, source, expected)
    _check_runs("nearest neighbours (starts)", neighbours.starts)
    kept, rows, pairs = neighbours.kept, neighbours.rows, naive_bayes.pairs
    documents = bundle.manifest.documents
    most = naive_bayes.values_count() * classes
    for right, what in (
        ((kept >= 1).all() and (kept <= documents).all() and kept.sum() <= documents, "kept"),
        ((neighbours.products >= 0).all(), "products"),
        (not len(rows) or 0 <= rows.min() <= rows.max() < kept.sum(), "rows"),
        (len(pairs) and pairs[-1] >= most and (pairs[1:] > pairs[:-1]).all(), "pairs"),
    ):
        if not right:
            raise BundleError(
                f"The bundle's second stage has numbers out of range or order in {what}. Export "
                "the model again."
            )
    return Reranker(
        bundle.files[RERANKER],
        RERANKER,
        Shortlist(taxonomy, neighbours, naive_bayes, bundle.candidate_features),
        bundle.manifest.outside or Outside(1, 0),
    )


def _check_runs(part: str, edges: NDArray[np.int64]) -> None:
    """Raise BundleError where the edges of consecutive runs do not ascend from 0."""
    if not len(edges) or edges[0] or (edges[1:] < edges[:-1]).any():
        raise BundleError(f"The bundle's {part} does not ascend from 0. Export the model again.")


def _check_size(part: str, size: int, what: str, source: str, expected: int) -> None:
    """Compare the size of a part of a bundle with that of another part, its `source`."""
    if size != expected:
        raise BundleError(
            f"The bundle's files do not match: the {part} is for {size} {what}, {source} has "
            f"{expected}. Export the model again."
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
