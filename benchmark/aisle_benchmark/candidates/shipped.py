"""The shipped model: trained by the training job, used through its exported bundle."""

import ast
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import aisle
import aisle_training
from aisle.catalogue.products import LabelledProduct
from aisle.model.bundle import Bundle
from aisle.model.classifier import Classifier
from aisle.product import FIELDS, Product, only
from aisle.store import open_store
from aisle_benchmark.candidates.base import Fitted, FoldedLate, Training
from aisle_benchmark.protocol import label_of
from aisle_training import builds, parameters
from aisle_training.pipeline import Trainer

SITUATIONS = {
    "name only": ("name",),
    "description only": ("description",),
    "name and description": ("name", "description"),
    "all, with attributes": FIELDS,
}
"""The fields that products have when the model, trained on all fields, predicts them."""


@dataclass(frozen=True)
class Shipped(FoldedLate):
    """Aisle, trained by its own job with its own parameters; all tables fold one training."""

    name: ClassVar[str] = "aisle"
    title: ClassVar[str] = "**Aisle**, the exported bundle"
    seconds: ClassVar[float] = 200

    def identity(self) -> dict[str, Any]:
        """Return its identity with a digest of the code and parameters that make the model."""
        return super().identity() | {"code": code_digest()}

    def fit(self, training: Training) -> tuple[Fitted, list[str]]:
        """Run the training job in a temporary store, without holding out a test split."""
        with tempfile.TemporaryDirectory(prefix="aisle-") as folder:
            trainer = Trainer(
                open_store(Path(folder, "store").as_uri()), parameters.load(parameters.DEFAULT)
            )
            rows = [
                LabelledProduct(product, row.path, row.ids)
                for row, product in zip(training.rows, training.products, strict=True)
            ]
            data = _write(Path(folder, "train.jsonl"), rows)
            # The job holds out its own test unless it gets one. It never learns from a test, so
            # this one is a single row.
            test = _write(Path(folder, "test.jsonl"), rows[:1])
            run = trainer.fit(trainer.prepare(trainer.ingest(data, test_data=test)))
            trainer.export(run)
            bundle = builds.load_bundle(trainer.store, run)
        fitted = Served(bundle)
        return fitted, fitted.labels

    def extras(self, fitted: Fitted, test: Sequence[LabelledProduct]) -> dict[str, NDArray[Any]]:
        """Return each level's confidence and whether its answer is right.

        Also the bundle's thresholds, and the classes' probabilities in each situation.
        """
        assert isinstance(fitted, Served)  # noqa: S101  # the type that `fit` returns
        classifier = fitted.classifier
        products = [row.product for row in test]
        confidences, right = levels(classifier, test)
        extras: dict[str, NDArray[Any]] = {
            "level_confidence": confidences,
            "level_right": right,
            "thresholds": np.array(classifier.manifest.answer_thresholds, np.float32),
        }
        for number, fields in enumerate(SITUATIONS.values()):
            reduced = [only(product, fields) for product in products]
            usable = np.array([bool(product.name or product.description) for product in reduced])
            probabilities = np.zeros((len(reduced), len(fitted.labels)), np.float32)
            probabilities[usable] = classifier.predict_proba(
                [product for product, has_text in zip(reduced, usable, strict=True) if has_text]
            )
            extras[f"situation_{number}"] = probabilities
        return extras


class Served:
    """A bundle and its classifier."""

    def __init__(self, bundle: Bundle) -> None:
        self._size = sum(map(len, bundle.to_files().values()))
        self.classifier = Classifier(bundle)
        self.labels = [label_of(path) for path in self.classifier.taxonomy.classes]

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return the probability of every class: float32 (products, classes)."""
        return self.classifier.predict_proba(products)

    def size_bytes(self) -> int:
        """Return the size of the bundle's files."""
        return self._size


def levels(
    classifier: Classifier, test: Sequence[LabelledProduct]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the confidence in each level of the chosen path, and whether it is right.

    Both are (products, depth); the confidence is -1 past the end of the path.
    """
    taxonomy = classifier.taxonomy
    probabilities = classifier.predict_proba([row.product for row in test])
    rolled_up = taxonomy.roll_up(probabilities)
    nodes = taxonomy.ancestors[classifier.choose(probabilities)]
    rows = np.arange(len(test))[:, None]
    confidences = np.where(nodes >= 0, rolled_up[rows, nodes], np.float32(-1))
    right = np.zeros(nodes.shape, np.bool_)
    for row, labelled in enumerate(test):
        for depth, node in enumerate(nodes[row]):
            if node >= 0 and depth < len(labelled.path):
                chosen = taxonomy.nodes[node][-1].id
                right[row, depth] = chosen == labelled.path[depth].id
    return confidences, right


@cache
def code_digest() -> str:
    """Return the hash of the code of the library and the training job, without comments."""
    folders = [Path(folder) for package in (aisle, aisle_training) for folder in package.__path__]
    return digest_of(folders, json.dumps(asdict(parameters.load(parameters.DEFAULT))))


def digest_of(folders: Sequence[Path], settings: str) -> str:
    """Return the hash of settings and of all code in folders and subfolders, without comments."""
    digest = hashlib.sha256(settings.encode())
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            digest.update(ast.dump(ast.parse(file.read_bytes())).encode())
    return digest.hexdigest()[:16]


def _write(path: Path, rows: Sequence[LabelledProduct]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            nodes = zip(row.path, row.ids, strict=True)
            category = [{"id": shop_id, "name": node.name} for node, shop_id in nodes]
            file.write(json.dumps({**asdict(row.product), "category": category}) + "\n")
    return path
