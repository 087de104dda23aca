"""Stage 4, export: a trained model -> a bundle, proven equal to it."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.sparse import csc_array, diags_array

from aisle import bundle
from aisle.bundle import Bundle
from aisle.classifier import Classifier
from aisle.errors import PublicationRefusedError
from aisle.golden import Golden, to_lines
from aisle.product import Product
from training import onnx_graph
from training.fit import Trained
from training.parameters import Parameters
from training.prepare import Prepared

# How far float32 sums may differ that were added in another order.
PARITY_TOLERANCE = 1e-4
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "onnx")
_WORDS_IN_A_GOLDEN_NAME = 3


def export(trained: Trained, prepared: Prepared, parameters: Parameters) -> Bundle:
    """Return the bundle of a trained model, without figures yet."""
    vocabulary = trained.vocabulary
    lines = zip(vocabulary.terms, vocabulary.document_frequency, strict=True)
    files = {
        bundle.MODEL: onnx_graph.build(trained),
        bundle.VOCABULARY: "".join(f"{term}\t{count}\n" for term, count in lines).encode(),
        bundle.CATEGORIES: _json(trained.taxonomy.to_json()),
        bundle.METRICS: b"{}",
        bundle.MODEL_CARD: b"",
        bundle.GOLDEN: b"",
    }
    whole = bundle.assemble(
        files,
        features=trained.spec,
        documents=vocabulary.documents,
        answer_thresholds=trained.choice.thresholds,
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
    golden = _golden(trained, Classifier(whole), parameters.export.golden_products)
    return bundle.describe(whole, {bundle.GOLDEN: to_lines(golden)})


def check_parity(trained: Trained, classifier: Classifier, products: Sequence[Product]) -> float:
    """Return the largest difference between a trained model's and its bundle's probabilities.

    Raises PublicationRefusedError where it is more than float32 explains, or a decision differs.
    """
    if not products:
        return 0.0
    served = classifier.probabilities(products)
    expected = trained.probabilities(products)
    difference = float(np.abs(served - expected).max())
    best = served.argmax(axis=1)
    rows = np.arange(len(products))
    # Where two classes are as good as equal, either may come first.
    tied = expected.max(axis=1) - expected[rows, best] <= PARITY_TOLERANCE
    if difference > PARITY_TOLERANCE or not tied.all():
        raise PublicationRefusedError(
            f"The exported model is not the trained one: probabilities differ by up to "
            f"{difference:.2g}, and {int((~tied).sum())} of {len(products)} decisions. Expected at "
            f"most {PARITY_TOLERANCE:g}. The bundle must not be used; report this."
        )
    return difference


def _golden(trained: Trained, classifier: Classifier, count: int) -> list[Golden]:
    """Make products of the words that speak most for classes spread over the taxonomy.

    They are made up, so that a bundle gives away no product of the catalogue.
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


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data of any shape
    return json.dumps(data, indent=None, separators=(",", ":"), sort_keys=True).encode()
