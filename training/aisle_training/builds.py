"""Builds in the store: what the stages make of given data with given parameters.

A build's id is the hash of both. It is not a training job, which is one attempt and has an id of
its own, although both are kept under `runs/`.
"""

import hashlib
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter
from scipy.sparse import csr_matrix

from aisle.errors import DataError, ObjectNotFoundError
from aisle.json_text import parse_json
from aisle.model import bundle
from aisle.model.bundle import Bundle
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.model.tfidf import FeatureSpec
from aisle.progress import say
from aisle.store import Store, layout
from aisle.store.typed import parse
from aisle.taxonomy import Taxonomy
from aisle_training.data.ingest import decoding
from aisle_training.figures import to_json
from aisle_training.fit.fit import Attempt, Choice, TrainedModel
from aisle_training.fit.rerank import TrainedReranker
from aisle_training.fit.vocabulary import Vocabulary
from aisle_training.release.gate import Judgement

_FIT_AGAIN = "Expected a trained model as the fit stage writes it. Run the fit stage again."
_TRAINED = "trained.npz"
_EXPORTED = "exported.json"
_EVALUATED = "evaluated.json"
_JUDGEMENT = "judgement.json"


@dataclass(frozen=True, slots=True)
class _ExportFacts:
    version: str
    parity: float


@dataclass(frozen=True, slots=True)
class _StoredJudgement:
    judgement: Judgement
    facts: dict[str, Any]


_EXPORT_FACTS: Final = TypeAdapter(_ExportFacts)
_EVALUATION: Final = TypeAdapter(dict[str, str])
_STORED_JUDGEMENT: Final = TypeAdapter(_StoredJudgement)
_EXPORT_AGAIN: Final = "Run the export stage again."
_EVALUATE_AGAIN: Final = "Delete it, then run the evaluate stage again."


@contextmanager
def stage(name: str) -> Iterator[Callable[[str], None]]:
    """Time a stage; the messages given to the yielded function are logged when it ends."""
    began = time.monotonic()
    messages: list[str] = []
    yield messages.append
    say(f"{name}: {'; '.join(messages)} ({time.monotonic() - began:.1f} s)")


def build_id(prepared_id: str, parameters: dict[str, Any]) -> str:
    """Return the id of a build: a hash of the data's id and the parameters, as plain data."""
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
    """Return a build's trained model and the id of the prepared data it was fitted on.

    Raises DataError where there is no such build, MalformedObjectError where it is damaged.
    """
    key = _file(build, _TRAINED)
    try:
        data = store.get(key).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"There is no build {build} in {store.url}. Expected the id that the fit stage "
            "printed. Check it, or run the fit stage first."
        ) from error
    with decoding(key, _FIT_AGAIN), np.load(io.BytesIO(data)) as arrays:
        if "naive_bayes" not in arrays:
            raise DataError(
                f"Build {build} in {store.url} was fitted by an earlier version of Aisle. Run the "
                "fit stage again."
            )
        about = parse_json(arrays["about"].tobytes())
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
                    "candidates": tuple(Attempt(**row) for row in choice["candidates"]),
                }
            ),
        )
    return trained, about["prepared_id"]


def save_bundle(store: Store, build: str, exported: Bundle, *, parity: float) -> None:
    """Write a build's bundle, which is not published yet, and its parity with the trained model."""
    for name, data in exported.to_files().items():
        store.put(_file(build, name), data)
    facts = {"version": exported.manifest.model_version, "parity": parity}
    store.put(_file(build, _EXPORTED), to_json(facts))


def load_parity(store: Store, build: str) -> float:
    """Return the largest difference of the bundle's probabilities from the trained model's.

    Raises MalformedObjectError for a damaged object.
    """
    key = _file(build, _EXPORTED)
    return parse(key, store.get(key).data, _EXPORT_FACTS, advice=_EXPORT_AGAIN).parity


def save_evaluation(
    store: Store, build: str, exported: Bundle, *, metrics: bytes, model_card: str
) -> None:
    """Write the metrics and the model card of a build's bundle: one object, written as a whole."""
    content = {
        "version": exported.manifest.model_version,
        bundle.METRICS: metrics.decode(),
        bundle.MODEL_CARD: model_card,
    }
    store.put(_file(build, _EVALUATED), json.dumps(content).encode())


def load_bundle(store: Store, build: str) -> Bundle:
    """Read and verify a build's bundle, with its metrics and model card if it was evaluated.

    Raises DataError where it was not exported, MalformedObjectError for a damaged evaluation.
    """
    try:
        exported = bundle.read_by(lambda name: store.get(_file(build, name)).data)
    except ObjectNotFoundError as error:
        raise DataError(
            f"Build {build} in {store.url} has no bundle. Expected an exported build. Run the "
            "export stage first."
        ) from error
    key = _file(build, _EVALUATED)
    try:
        data = store.get(key).data
    except ObjectNotFoundError:
        return exported
    evaluation = parse(key, data, _EVALUATION, advice=_EVALUATE_AGAIN)
    if evaluation.get("version") != exported.manifest.model_version:  # exported again since
        return exported
    names = (bundle.METRICS, bundle.MODEL_CARD)
    described = {name: evaluation[name].encode() for name in names if name in evaluation}
    return bundle.describe(exported, described)


def save_judgement(store: Store, build: str, judgement: Judgement, facts: dict[str, Any]) -> None:
    """Write the gate's judgement of a build's bundle, and the facts of its report."""
    content = {"judgement": asdict(judgement), "facts": facts}
    store.put(_file(build, _JUDGEMENT), json.dumps(content).encode())


def load_judgement(store: Store, build: str) -> tuple[Judgement, dict[str, Any]]:
    """Read the gate's judgement and the facts of its report.

    Raises DataError where the gate has not run, MalformedObjectError for a damaged object.
    """
    key = _file(build, _JUDGEMENT)
    try:
        data = store.get(key).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"Build {build} in {store.url} has not been judged, and the gate cannot be skipped. "
            "Run the gate stage first."
        ) from error
    stored = parse(key, data, _STORED_JUDGEMENT, advice="Run the gate stage again.")
    return stored.judgement, stored.facts


def _file(build: str, name: str) -> str:
    return layout.build_file(build, name)


def git_commit() -> str | None:
    """Return the git commit of this code, None outside a checkout or without git."""
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
