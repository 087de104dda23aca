"""Builds in the store: what the stages made of some data with some parameters, and their log.

A build is named by the hash of both; it is no training job, which has a build, or several.
"""

import hashlib
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from aisle.errors import DataError, ObjectNotFoundError
from aisle.model import bundle
from aisle.model.bundle import Bundle
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.model.tfidf import FeatureSpec
from aisle.progress import say
from aisle.store import Store, layout
from aisle.taxonomy import Taxonomy
from aisle_training.figures import to_json
from aisle_training.fit.fit import Attempt, Choice, TrainedModel
from aisle_training.fit.rerank import TrainedReranker
from aisle_training.fit.vocabulary import Vocabulary
from aisle_training.release.gate import Check, Judgement

_TRAINED = "trained.npz"
_EXPORTED = "exported.json"
_EVALUATED = "evaluated.json"
_JUDGEMENT = "judgement.json"


@contextmanager
def stage(name: str) -> Iterator[Callable[[str], None]]:
    """Time a stage; the message given to the yielded function is said when it is done."""
    began = time.monotonic()
    messages: list[str] = []
    yield messages.append
    say(f"{name}: {'; '.join(messages)} ({time.monotonic() - began:.1f} s)")


def build_id(prepared_id: str, parameters: dict[str, Any]) -> str:
    """Return the name of a build: the same for the same data and parameters, as plain data."""
    identity = json.dumps([prepared_id, parameters], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def save_trained(store: Store, build: str, trained: TrainedModel, prepared_id: str) -> None:
    """Write a trained model to the store."""
    about = {
        "prepared_id": prepared_id,
        "spec": asdict(trained.spec),
        "documents": trained.vocabulary.documents,
        "taxonomy": trained.taxonomy.to_json(),
        "choice": asdict(trained.choice),
        "shape": trained.weights.shape,
        "outside": asdict(trained.reranker.outside) if trained.reranker else None,
    }
    arrays: dict[str, Any] = {
        "about": _bytes(json.dumps(about)),
        "terms": _bytes("\n".join(trained.vocabulary.terms)),
        "document_frequency": trained.vocabulary.document_frequency,
        "weights_data": trained.weights.data,
        "weights_indices": trained.weights.indices,
        "weights_indptr": trained.weights.indptr,
        "scale": trained.scale,
        "slots": trained.slots,
        "slot_weights": trained.slot_weights,
        "vector_weights": trained.vector_weights,
        "intercepts": trained.intercepts,
        "pieces": _bytes("\n".join(trained.vocabulary.pieces)),
        "vectors": trained.vocabulary.vectors,
        "trees": _bytes(trained.reranker.trees if trained.reranker else ""),
        "neighbours": np.frombuffer(
            trained.reranker.neighbours.to_bytes() if trained.reranker else b"", np.uint8
        ),
        "naive_bayes": np.frombuffer(
            trained.reranker.naive_bayes.to_bytes() if trained.reranker else b"", np.uint8
        ),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    store.put(_file(build, _TRAINED), buffer.getvalue())


def load_trained(store: Store, build: str) -> tuple[TrainedModel, str]:
    """Return a build's trained model and the id of the prepared data it was fitted on."""
    try:
        data = store.get(_file(build, _TRAINED)).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"There is no build {build} in {store.url}. Expected the id that the fit stage printed."
        ) from error
    with np.load(io.BytesIO(data)) as arrays:
        if "naive_bayes" not in arrays:
            raise DataError(
                f"Build {build} in {store.url} was fitted by an earlier version of Aisle. Run the "
                "fit stage again."
            )
        about = json.loads(arrays["about"].tobytes())
        choice = about["choice"]
        vocabulary = Vocabulary(
            arrays["terms"].tobytes().decode("utf-8", "surrogatepass").split("\n"),
            arrays["document_frequency"],
            about["documents"],
            arrays["pieces"].tobytes().decode().split("\n"),
            arrays["vectors"],
        )
        trees = arrays["trees"].tobytes().decode()
        parts = (arrays["weights_data"], arrays["weights_indices"], arrays["weights_indptr"])
        trained = TrainedModel(
            spec=FeatureSpec(**about["spec"]),
            vocabulary=vocabulary,
            taxonomy=Taxonomy.from_json(about["taxonomy"]),
            weights=csr_matrix(parts, shape=about["shape"]),
            scale=arrays["scale"],
            slots=arrays["slots"],
            slot_weights=arrays["slot_weights"],
            vector_weights=arrays["vector_weights"],
            intercepts=arrays["intercepts"],
            reranker=(
                TrainedReranker(
                    trees,
                    Outside(**about["outside"]),
                    NearestNeighbours.from_bytes(arrays["neighbours"].tobytes(), "neighbours"),
                    NaiveBayesRatios.from_bytes(arrays["naive_bayes"].tobytes(), "naive_bayes"),
                )
                if trees
                else None
            ),
            choice=Choice(
                **choice
                | {
                    "thresholds": tuple(choice["thresholds"]),
                    "candidates": tuple(Attempt(**one) for one in choice["candidates"]),
                }
            ),
        )
    return trained, about["prepared_id"]


def save_bundle(store: Store, build: str, whole: Bundle, *, parity: float) -> None:
    """Write a build's bundle to the store, not published yet, and how far it is from the model."""
    for name, data in whole.to_files().items():
        store.put(_file(build, name), data)
    exported = {"version": whole.manifest.model_version, "parity": parity}
    store.put(_file(build, _EXPORTED), to_json(exported))


def load_parity(store: Store, build: str) -> float:
    """Return how far a build's bundle is from the trained model."""
    return float(json.loads(store.get(_file(build, _EXPORTED)).data)["parity"])


def save_evaluation(
    store: Store, build: str, whole: Bundle, *, metrics: bytes, model_card: str
) -> None:
    """Write what a build's bundle is to tell of itself: beside it, in one object, whole or not."""
    told = {
        "version": whole.manifest.model_version,
        bundle.METRICS: metrics.decode(),
        bundle.MODEL_CARD: model_card,
    }
    store.put(_file(build, _EVALUATED), json.dumps(told).encode())


def load_bundle(store: Store, build: str) -> Bundle:
    """Read a build's bundle and check it; it tells its figures where it was evaluated."""
    try:
        whole = bundle.read_by(lambda name: store.get(_file(build, name)).data)
    except ObjectNotFoundError as error:
        raise DataError(
            f"Build {build} in {store.url} has no bundle. Run the export stage first."
        ) from error
    try:
        told = json.loads(store.get(_file(build, _EVALUATED)).data)
    except ObjectNotFoundError:
        return whole
    if told["version"] != whole.manifest.model_version:  # exported anew since
        return whole
    described = {name: told[name].encode() for name in (bundle.METRICS, bundle.MODEL_CARD)}
    return bundle.describe(whole, described)


def save_judgement(store: Store, build: str, judgement: Judgement, facts: dict[str, Any]) -> None:
    """Write what the gate found of a build's bundle, and the facts of its report."""
    whole = {"judgement": asdict(judgement), "facts": facts}
    store.put(_file(build, _JUDGEMENT), json.dumps(whole).encode())


def load_judgement(store: Store, build: str) -> tuple[Judgement, dict[str, Any]]:
    """Read what the gate found, and the facts; raise DataError where it has not looked."""
    try:
        whole = json.loads(store.get(_file(build, _JUDGEMENT)).data)
    except ObjectNotFoundError as error:
        raise DataError(
            f"Build {build} in {store.url} was not judged yet, and the gate cannot be skipped. Run "
            "the gate stage first."
        ) from error
    found = whole["judgement"]
    checks = tuple(Check(**one) for one in found["checks"])
    return Judgement(**found | {"checks": checks}), whole["facts"]


def _file(build: str, name: str) -> str:
    return layout.build_file(build, name)


def git_commit() -> str | None:
    """Return the commit that this code is at, None outside a checkout or without git."""
    git = which("git")
    if git is None:
        return None
    here = Path(__file__).parent
    done = subprocess.run(  # noqa: S603  # fixed arguments
        [git, "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def _bytes(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
