"""A model bundle: a folder of data, no code, that says what it is and proves it is whole.

Layout: `manifest.json` names every other file with its SHA-256. The model's version is derived from
its content, so the same model has the same version wherever and whenever it was made.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.json_text import parse_json
from aisle.model.rerank.calibration import Outside
from aisle.model.tfidf import FeatureSpec
from aisle.normalize import NORMALIZER_VERSION

FORMAT_VERSION = 5
MANIFEST = "manifest.json"
MODEL = "model.onnx"
SCORERS = "scorers.npy"
VOCABULARY = "vocabulary.tsv"
CATEGORIES = "categories.json"
PIECES = "pieces.txt"
VECTORS = "vectors.npy"
RERANKER = "reranker.onnx"
NEIGHBOURS = "neighbours.npy"
LIKELIHOODS = "likelihoods.npy"
METRICS = "metrics.json"
GOLDEN = "golden.jsonl"
MODEL_CARD = "MODEL_CARD.md"
DECISIVE_FILES = (
    MODEL,
    SCORERS,
    VOCABULARY,
    CATEGORIES,
    PIECES,
    VECTORS,
    RERANKER,
    NEIGHBOURS,
    LIKELIHOODS,
)
"""What predictions depend on; the other files describe the model.

The reranker, its neighbours and likelihoods are empty where a model has no second stage.
"""
FILES = (*DECISIVE_FILES, METRICS, GOLDEN, MODEL_CARD)

PACKAGED = Path(__file__).parents[1] / "packaged"
"""The bundle that ships with the library: what an empty store serves."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is, and the parameters that serving needs.

    `documents` is the number of products the vocabulary was counted over; `answer_thresholds` the
    confidence above which each level of the path, root first, is shown as the answer; `outside`
    belongs to the second stage, None where a model has none; `dataset` the snapshot it was trained
    on; `libraries` the versions it was trained with; `files` the SHA-256 of each file. When, where
    and from which commit it was trained is in the run's report, not here: the same snapshot and
    parameters must give the same bundle.
    """

    format_version: int
    model_version: str
    normalizer_version: int
    features: FeatureSpec
    documents: int
    answer_thresholds: tuple[float, ...]
    outside: Outside | None
    dataset: dict[str, Any]
    libraries: dict[str, str]
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every file was read and checked."""

    manifest: Manifest
    files: Mapping[str, bytes]

    def json(self, name: str) -> Any:  # noqa: ANN401  # JSON has no narrower type
        """Return a file's content, parsed; raise BundleError where it is not JSON."""
        return _parse(self.files[name], name)

    def word_pieces(self) -> tuple[list[str], NDArray[np.int8]]:
        """Return the pieces of words and their vectors, as `aisle.model.word_vectors` takes them.

        Raises BundleError where the two files do not fit together.
        """
        pieces = self.files[PIECES].decode(errors="replace").splitlines()
        try:
            vectors = np.load(io.BytesIO(self.files[VECTORS]), allow_pickle=False)
        except (EOFError, ValueError) as error:
            raise BundleError(
                f"The bundle's {VECTORS} cannot be read: {error}. Export the model again."
            ) from error
        if vectors.dtype != np.int8 or vectors.shape[:1] != (len(pieces),):
            raise BundleError(
                f"The bundle's {VECTORS} holds {vectors.dtype} {vectors.shape}; its {PIECES} asks "
                f"for int8 ({len(pieces)}, dimensions). Export the model again."
            )
        return pieces, vectors

    def to_files(self) -> dict[str, bytes]:
        """Return all files, by name, the manifest last: without it a bundle is not whole."""
        manifest = json.dumps(asdict(self.manifest), indent=2, sort_keys=True) + "\n"
        return {**self.files, MANIFEST: manifest.encode()}


def assemble(files: Mapping[str, bytes], **facts: Any) -> Bundle:  # noqa: ANN401  # the manifest's own fields
    """Make a bundle of its files; `facts` are the manifest's fields but versions and hashes.

    The version depends on what decides predictions, not on what describes them: metrics and card
    may be added later. Raises BundleError where a file of the layout is missing.
    """
    missing = [name for name in FILES if name not in files]
    if missing:
        raise BundleError(f"A bundle cannot be made without {', '.join(missing)}.")
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in FILES}
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        model_version="",
        normalizer_version=NORMALIZER_VERSION,
        files=hashes,
        **facts,
    )
    manifest = replace(manifest, model_version=_version(manifest))
    return Bundle(manifest, {name: files[name] for name in FILES})


def describe(bundle: Bundle, files: Mapping[str, bytes]) -> Bundle:
    """Return a bundle with other describing files; its version stays."""
    facts = {
        field.name: getattr(bundle.manifest, field.name)
        for field in fields(Manifest)
        if field.name not in {"format_version", "model_version", "normalizer_version", "files"}
    }
    return assemble({**bundle.files, **files}, **facts)


def write(folder: Path, bundle: Bundle) -> None:
    """Write a bundle to a folder, the manifest last; raise BundleError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in bundle.to_files().items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise BundleError(
            f"The bundle cannot be written to {folder}: {error.strerror}. Expected a folder, or a "
            "place where one can be made. Choose another."
        ) from error


def read(folder: Path) -> Bundle:
    """Read a bundle from a folder and check it.

    Raises BundleError, which names the file, where one is missing or changed, or where the bundle
    is of a format or normaliser that this version does not read.
    """
    return read_by(lambda name: _bytes(folder / name))


def read_by(get: Callable[[str], bytes]) -> Bundle:
    """Read a bundle file by file, as `get` gives them by name, and check it as `read` does.

    The manifest comes first, since another format may have other files.
    """
    manifest = get(MANIFEST)
    read_manifest(manifest)
    return verify({MANIFEST: manifest, **{name: get(name) for name in FILES}})


def verify(files: Mapping[str, bytes]) -> Bundle:
    """Check the files of a bundle, by name; raise BundleError as `read` does."""
    if MANIFEST not in files:
        raise BundleError(f"The bundle has no {MANIFEST}. Was it copied whole? Export it again.")
    manifest = read_manifest(files[MANIFEST])
    for name in FILES:
        if name not in files:
            raise BundleError(f"The bundle has no {name}. Was it copied whole? Export it again.")
        found = hashlib.sha256(files[name]).hexdigest()
        if found != manifest.files.get(name):
            raise BundleError(
                f"The bundle's {name} is not the file that was exported: its SHA-256 is {found}, "
                f"the manifest expects {manifest.files.get(name)}. Fetch or export it again."
            )
    if _version(manifest) != manifest.model_version:
        raise BundleError(
            f"The bundle's {MANIFEST} was changed: its model_version is {manifest.model_version}, "
            f"its content makes {_version(manifest)}. Fetch or export the bundle again."
        )
    return Bundle(manifest, {name: files[name] for name in FILES})


def _version(manifest: Manifest) -> str:
    """Derive a version from what decides predictions."""
    facts = asdict(replace(manifest, model_version=""))
    facts["files"] = {name: manifest.files.get(name) for name in DECISIVE_FILES}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest; raise BundleError where this version does not read its format."""
    data = _parse(content, MANIFEST)
    versions = {"format_version": FORMAT_VERSION, "normalizer_version": NORMALIZER_VERSION}
    if not isinstance(data, dict):
        raise BundleError(
            f"The bundle's {MANIFEST} is not a JSON object. Fetch or export the bundle again."
        )
    for name, expected in versions.items():
        found = data.get(name)
        if found != expected:
            raise BundleError(
                f"The bundle's {name} is {found!r}; this version of Aisle reads {expected}. "
                "Use the Aisle that exported it, or train again."
            )
    try:
        features = FeatureSpec(**data["features"])
        thresholds = tuple(map(float, data["answer_thresholds"]))
        files = {str(name): str(digest) for name, digest in data["files"].items()}
        outside = Outside(**data["outside"]) if data["outside"] is not None else None
        checked = {"features": features, "answer_thresholds": thresholds, "files": files}
        return Manifest(**data | checked | {"outside": outside})
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise BundleError(
            f"The bundle's {MANIFEST} cannot be read: {error}. Export the model again."
        ) from error


def _parse(data: bytes, name: str) -> Any:  # noqa: ANN401  # whatever the JSON holds
    try:
        return parse_json(data)
    except ValueError as error:
        raise BundleError(
            f"The bundle's {name} is not JSON: {error}. Fetch or export the bundle again."
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"The bundle's {path.name} cannot be read from {path.parent}: {error.strerror}. "
            "Expected a folder that `aisle train` or a publication wrote whole."
        ) from error
