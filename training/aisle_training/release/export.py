"""Stage 4, export: a trained model -> a bundle, proven equal to it."""

import io
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array

from aisle.errors import PublicationRefusedError
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.model.golden import Golden, to_lines
from aisle.model.linear import Scorers
from aisle.product import Product
from aisle_training.data.prepare import Prepared
from aisle_training.fit.fit import TrainedModel
from aisle_training.parameters import ExportParameters
from aisle_training.release import onnx_graph, trees_graph
from aisle_training.release.contender import Contender

# How far sums may differ that were added in another order, of values cut to 21 bits.
PARITY_TOLERANCE = 1e-4
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "onnx")
_WORDS_IN_A_GOLDEN_NAME = 3
_CHUNK = 256


def export(trained: TrainedModel, prepared: Prepared, settings: ExportParameters) -> Contender:
    """Return the bundle of a trained model, without figures yet, and the classifier of it."""
    vocabulary = trained.vocabulary
    lines = zip(vocabulary.terms, vocabulary.document_frequency, strict=True)
    files = {
        bundle.MODEL: onnx_graph.build(trained),
        bundle.SCORERS: Scorers(trained.scale, trained.slots, trained.slot_weights).to_bytes(),
        bundle.VOCABULARY: "".join(f"{term}\t{count}\n" for term, count in lines).encode(),
        bundle.CATEGORIES: _json(trained.taxonomy.to_json()),
        bundle.PIECES: "".join(f"{piece}\n" for piece in vocabulary.pieces).encode(),
        bundle.VECTORS: _array(vocabulary.vectors),
        bundle.RERANKER: b"",
        bundle.NEIGHBOURS: b"",
        bundle.LIKELIHOODS: b"",
        bundle.METRICS: b"{}",
        bundle.MODEL_CARD: b"",
        bundle.GOLDEN: b"",
    }
    if trained.reranker is not None:
        files[bundle.RERANKER] = trees_graph.build(trained.reranker.trees)
        files[bundle.NEIGHBOURS] = trained.reranker.neighbours.to_bytes()
        files[bundle.LIKELIHOODS] = trained.reranker.likelihoods.to_bytes()
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

    Stage by stage, each on what the bundle's own earlier stage gives: trees decide by thresholds,
    so that the last bit of a sum could send a candidate down another branch. Raises
    PublicationRefusedError where the difference is more than float32 explains, or a decision of
    the linear stage differs.
    """
    if not products:
        return 0.0
    difference, undecided = 0.0, 0
    for at in range(0, len(products), _CHUNK):
        part = products[at : at + _CHUNK]
        features = classifier.featurizer.transform(part)
        served, margins = classifier.score(features)
        expected, _ = trained.linear(features)
        difference = max(difference, float(np.abs(served - expected).max()))
        # Where two classes are as good as equal, either may come first.
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
            f"The exported model is not the trained one: probabilities differ by up to "
            f"{difference:.2g}, and {undecided} of {len(products)} decisions. Expected at "
            f"most {PARITY_TOLERANCE:g}. The bundle must not be used; report this."
        )
    return difference


def _golden(trained: TrainedModel, classifier: Classifier, count: int) -> list[Golden]:
    """Make products of the words that speak most for classes spread over the taxonomy.

    They are made up, so that no product of the catalogue is sent anywhere as an example.
    """
    size = len(trained.taxonomy.classes)
    words = [at for at, term in enumerate(trained.vocabulary.terms) if term.startswith("w:")]
    scaled = diags_array(trained.scale[words]) @ trained.weights[words].astype(np.float32)
    columns = csc_array(scaled)
    made = []
    for label in np.unique(np.linspace(0, size - 1, min(count, size)).astype(int)):
        scores = np.zeros(len(words), np.float32)
        for slot, weight in zip(trained.slots[label], trained.slot_weights[label], strict=True):
            scores += weight * columns[:, [slot]].toarray()[:, 0]
        best = np.argsort(-scores, kind="stable")[:_WORDS_IN_A_GOLDEN_NAME]
        name = " - ".join(trained.vocabulary.terms[words[at]][2:].upper() for at in best)
        if name:
            made.append(Product(name=name))
    predictions = classifier.predict(made, explain=False)
    return [
        Golden(product, found.category.category.id, round(found.category.confidence, 6))
        for product, found in zip(made, predictions, strict=True)
    ]


def _array(values: NDArray[np.int8]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data of any shape
    return json.dumps(data, indent=None, separators=(",", ":"), sort_keys=True).encode()
