"""Stage 4, export: a trained model -> a bundle, verified to give the same probabilities."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.sparse import csc_array, diags_array

from aisle.errors import PublicationRefusedError
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.model.golden import Golden, to_lines
from aisle.model.linear import LinearStage
from aisle.model.word_vectors import PieceVectors
from aisle.product import Product
from aisle_training.data.prepare import Prepared
from aisle_training.fit.fit import TrainedModel
from aisle_training.parameters import ExportParameters
from aisle_training.release import trees_graph
from aisle_training.release.contender import Contender

# How far probabilities may differ, since sums of float32 are accumulated in another order.
PARITY_TOLERANCE = 1e-4
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "onnx")
_WORDS_IN_A_GOLDEN_NAME = 3
_CHUNK = 256
_MOST_UINT16 = 2**16


def export(trained: TrainedModel, prepared: Prepared, settings: ExportParameters) -> Contender:
    """Return the bundle of a trained model, still without figures, and its classifier."""
    vocabulary = trained.vocabulary
    lines = zip(vocabulary.terms, vocabulary.document_frequency, strict=True)
    files = {
        bundle.LINEAR: _linear_stage(trained).to_bytes(),
        bundle.VOCABULARY: "".join(f"{term}\t{count}\n" for term, count in lines).encode(),
        bundle.CATEGORIES: _json(trained.taxonomy.to_json()),
        bundle.PIECES: "".join(f"{piece}\n" for piece in vocabulary.pieces).encode(),
        bundle.WORD_VECTORS: PieceVectors(vocabulary.vectors).to_bytes(),
        bundle.RERANKER: b"",
        bundle.KNN: b"",
        bundle.NAIVE_BAYES: b"",
        bundle.METRICS: b"{}",
        bundle.MODEL_CARD: b"",
        bundle.GOLDEN: b"",
    }
    if trained.reranker is not None:
        files[bundle.RERANKER] = trees_graph.build(trained.reranker.trees)
        files[bundle.KNN] = trained.reranker.neighbours.to_bytes()
        files[bundle.NAIVE_BAYES] = trained.reranker.naive_bayes.to_bytes()
    whole = bundle.assemble(
        files,
        features=trained.spec,
        documents=vocabulary.documents,
        answer_thresholds=trained.choice.thresholds,
        outside=trained.reranker.outside if trained.reranker is not None else None,
        dataset={
            "snapshot": prepared.snapshot_id,
            "sha256": prepared.snapshot_sha256,
            "test_sha256": prepared.test_sha256,
            "products": {
                "train": len(prepared.train),
                "validation": len(prepared.validation),
                "test": len(prepared.test),
            },
        },
        libraries={name: version(name) for name in _LIBRARIES},
    )
    exported = Contender(whole)
    golden = _golden(trained, exported.classifier, settings.golden_products)
    exported.describe({bundle.GOLDEN: to_lines(golden)})
    return exported


def check_parity(
    trained: TrainedModel, classifier: Classifier, products: Sequence[Product]
) -> float:
    """Return the largest difference between a trained model's and its bundle's probabilities.

    Each stage is compared on the output of the bundle's own earlier stage: trees decide by
    thresholds, so the last bit of a sum can send a candidate down another branch. Raises
    PublicationRefusedError where the difference is larger than float32 rounding, or where a
    decision of the linear stage differs.
    """
    if not products:
        return 0.0
    difference, undecided = 0.0, 0
    for at in range(0, len(products), _CHUNK):
        part = products[at : at + _CHUNK]
        features = classifier.featurizer.transform(part)
        margins = classifier.linear_stage.margins(features)
        served = classifier.linear_stage.probabilities(margins)
        expected, _ = trained.linear(features)
        difference = max(difference, float(np.abs(served - expected).max()))
        # If two classes are equal within the tolerance, either may come first.
        best = expected[np.arange(len(part)), served.argmax(axis=1)]
        undecided += int((expected.max(axis=1) - best > PARITY_TOLERANCE).sum())
        if trained.reranker is not None and classifier.reranker is not None:
            shortlist = classifier.reranker.shortlist
            described = shortlist.features(
                part,
                features,
                shortlist.candidates(served),
                probabilities=served,
                margins=margins,
            )
            gap = trained.reranker.scores(described) - classifier.reranker.scores(described)
            difference = max(difference, float(np.abs(gap).max()))
    if difference > PARITY_TOLERANCE or undecided:
        raise PublicationRefusedError(
            f"The exported model does not equal the trained one: probabilities differ by up to "
            f"{difference:.2g}, and {undecided} of {len(products)} decisions differ. Expected a "
            f"difference of at most {PARITY_TOLERANCE:g}. Do not use the bundle; report this error."
        )
    return difference


def _golden(trained: TrainedModel, classifier: Classifier, count: int) -> list[Golden]:
    """Make up products of the words with the largest weights for classes across the taxonomy.

    They are made up, so that a bundle contains no product of the catalogue.
    """
    size = len(trained.taxonomy.classes)
    words = [at for at, term in enumerate(trained.vocabulary.terms) if term.startswith("w:")]
    scaled = diags_array(trained.scale[words]) @ trained.weights[words].astype(np.float32)
    columns = csc_array(scaled)
    products = []
    for label in np.unique(np.linspace(0, size - 1, min(count, size)).astype(int)):
        scores = np.zeros(len(words), np.float32)
        for slot, weight in zip(trained.slots[label], trained.slot_weights[label], strict=True):
            scores += weight * columns[:, [slot]].toarray()[:, 0]
        best = np.argsort(-scores, kind="stable")[:_WORDS_IN_A_GOLDEN_NAME]
        name = " - ".join(trained.vocabulary.terms[words[at]][2:].upper() for at in best)
        if name:
            products.append(Product(name=name))
    predictions = classifier.predict(products, explain=False)
    return [
        Golden(product, prediction.category.category.id, round(prediction.category.confidence, 6))
        for product, prediction in zip(products, predictions, strict=True)
    ]


def _linear_stage(trained: TrainedModel) -> LinearStage:
    weights = trained.weights.sorted_indices()
    return LinearStage(
        indptr=weights.indptr.astype(np.int64),
        indices=(
            weights.indices.astype(np.uint16)
            if weights.shape[1] <= _MOST_UINT16
            else weights.indices.astype(np.int32)
        ),
        data=weights.data,
        scale=trained.scale,
        vector_weights=np.ascontiguousarray(trained.vector_weights.T),
        intercepts=trained.intercepts,
        slots=trained.slots,
        slot_weights=trained.slot_weights,
    )


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data of any shape
    return json.dumps(data, indent=None, separators=(",", ":"), sort_keys=True).encode()
