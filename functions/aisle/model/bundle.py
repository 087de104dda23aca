"""A model bundle: a folder of data without code, with a manifest that proves it complete.

`manifest.json` names every other file with its SHA-256. The model's version is a hash of the files
and facts that decide predictions, with the snapshot and the versions of libraries: the same
training gives the same version wherever and whenever it runs.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import BundleError
from aisle.json_text import parse_json
from aisle.model import format5
from aisle.model.linear import LinearStage
from aisle.model.rerank.calibration import Outside
from aisle.model.rerank.features import CandidateFeatures
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.rerank.naive_bayes import NaiveBayesRatios
from aisle.model.tfidf import FeatureSpec
from aisle.model.word_vectors import PieceVectors
from aisle.normalize import NORMALIZER_VERSION

FORMAT_VERSION = 6
MANIFEST = "manifest.json"
LINEAR = "linear.safetensors"
VOCABULARY = "vocabulary.tsv"
CATEGORIES = "categories.json"
PIECES = "pieces.txt"
WORD_VECTORS = "word_vectors.safetensors"
RERANKER = "reranker.onnx"
KNN = "knn.safetensors"
NAIVE_BAYES = "naive_bayes.safetensors"
METRICS = "metrics.json"
GOLDEN = "golden.jsonl"
MODEL_CARD = "MODEL_CARD.md"
DECISIVE_FILES = (
    LINEAR,
    VOCABULARY,
    CATEGORIES,
    PIECES,
    WORD_VECTORS,
    RERANKER,
    KNN,
    NAIVE_BAYES,
)
"""What predictions depend on; the other files describe the model.

The reranker, nearest neighbours and naive Bayes are empty where a model has no second stage.
"""
_DESCRIBING_FILES = (METRICS, GOLDEN, MODEL_CARD)
FILES = (*DECISIVE_FILES, *_DESCRIBING_FILES)
# Bundles of the last format can still be read: `aisle.model.format5` converts them.
_DECISIVE_FILES_OF = {5: format5.DECISIVE_FILES, FORMAT_VERSION: DECISIVE_FILES}

PACKAGED = Path(__file__).parents[1] / "packaged"
"""The bundle that ships with the library; an empty store serves it."""


# Of an n-gram, or of a price's bins: larger ones would not end in time.
_LARGEST = 64


@dataclass(frozen=True, slots=True)
class Manifest:
    """Identity of a bundle, and the parameters that serving needs.

    `documents` is the number of products that the vocabulary was counted over; `answer_thresholds`
    the confidence from which each level of the path, root first, is given as the answer; `outside`
    belongs to the second stage and is None where a model has none; `dataset` describes the
    snapshot it was trained on; `libraries` are the versions it was trained with; `files` the
    SHA-256 of each file. When, where and from which commit it was trained stands in the training
    report, not here: the same snapshot and parameters must give the same bundle.
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
    """A bundle whose files are read and verified."""

    manifest: Manifest
    files: Mapping[str, bytes]

    def json(self, name: str) -> Any:  # noqa: ANN401  # JSON has no narrower type
        """Return a file's content, parsed; raise BundleError where it is not JSON."""
        return _parse(self.files[name], name)

    def linear_stage(self) -> LinearStage:
        """Return the linear stage; raise BundleError where its file cannot be read."""
        if self._is_format_5:
            return format5.linear_stage(self.files)
        return LinearStage.from_bytes(self.files[LINEAR], LINEAR)

    def word_pieces(self) -> tuple[list[str], NDArray[np.int8]]:
        """Return word pieces and their vectors, as `aisle.model.word_vectors` takes them.

        Raises BundleError where one of the two files cannot be read or they do not match.
        """
        pieces = self.files[PIECES].decode(errors="replace").splitlines()
        if self._is_format_5:
            vectors = format5.piece_vectors(self.files).vectors
        else:
            vectors = PieceVectors.from_bytes(self.files[WORD_VECTORS], WORD_VECTORS).vectors
        if vectors.dtype != np.int8 or vectors.shape[:1] != (len(pieces),):
            raise BundleError(
                f"The bundle's word vectors are {vectors.dtype} {vectors.shape}; its {PIECES} "
                f"needs int8 ({len(pieces)}, dimensions). Export the model again."
            )
        return pieces, vectors

    def nearest_neighbours(self) -> NearestNeighbours:
        """Return the second stage's neighbours; raise BundleError where they cannot be read."""
        if self._is_format_5:
            return format5.nearest_neighbours(self.files)
        return NearestNeighbours.from_bytes(self.files[KNN], KNN)

    def naive_bayes(self) -> NaiveBayesRatios:
        """Return the second stage's naive Bayes; raise BundleError where it cannot be read."""
        if self._is_format_5:
            return format5.naive_bayes(self.files)
        return NaiveBayesRatios.from_bytes(self.files[NAIVE_BAYES], NAIVE_BAYES)

    @property
    def candidate_features(self) -> type[CandidateFeatures]:
        """The features that the second stage's trees were trained on."""
        return format5.CandidateFeatures5 if self._is_format_5 else CandidateFeatures

    @property
    def _is_format_5(self) -> bool:
        return self.manifest.format_version == format5.FORMAT_VERSION

    def to_files(self) -> dict[str, bytes]:
        """Return all files by name, the manifest last: without it a bundle is incomplete."""
        manifest = json.dumps(asdict(self.manifest), indent=2, sort_keys=True) + "\n"
        return {**self.files, MANIFEST: manifest.encode()}


def assemble(files: Mapping[str, bytes], **facts: Any) -> Bundle:  # noqa: ANN401  # the manifest's own fields
    """Make a bundle of its files; `facts` are the manifest's fields except versions and hashes.

    The version depends on the files that decide predictions, not on those that describe them, so
    metrics and card may be added later. Raises BundleError where a file is missing.
    """
    missing = [name for name in FILES if name not in files]
    if missing:
        raise BundleError(f"A bundle cannot be made without {', '.join(missing)}.")
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        model_version="",
        normalizer_version=NORMALIZER_VERSION,
        files={},
        **facts,
    )
    return _sealed(manifest, {name: files[name] for name in FILES})


def describe(bundle: Bundle, files: Mapping[str, bytes]) -> Bundle:
    """Return a bundle with `files` replaced; other describing files do not change its version."""
    return _sealed(bundle.manifest, {**bundle.files, **files})


def _sealed(manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Return a bundle of files, with their hashes and the version in its manifest."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = replace(manifest, files=hashes)
    return Bundle(replace(manifest, model_version=_version(manifest)), files)


def write(folder: Path, bundle: Bundle) -> None:
    """Write a bundle to a folder, the manifest last; raise BundleError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in bundle.to_files().items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise BundleError(
            f"The bundle cannot be written to {folder}: {error.strerror}. Expected a folder, or a "
            "path where one can be created. Choose another."
        ) from error


def read(folder: Path) -> Bundle:
    """Read a bundle from a folder and verify it.

    Raises BundleError if a file is missing or changed (the message names it), or if this version of
    Aisle cannot read the format or normalizer.
    """
    return read_by(lambda name: _bytes(folder / name))


def read_by(get: Callable[[str], bytes]) -> Bundle:
    """Read a bundle file by file, `get` returning each by name, and verify it as `read` does.

    The manifest comes first, since the other files depend on its format.
    """
    content = get(MANIFEST)
    names = _files_of(read_manifest(content))
    return verify({MANIFEST: content, **{name: get(name) for name in names}})


def verify(files: Mapping[str, bytes]) -> Bundle:
    """Verify the files of a bundle, given by name; raise BundleError as `read` does."""
    if MANIFEST not in files:
        raise BundleError(f"The bundle has no {MANIFEST}. Was it copied whole? Export it again.")
    manifest = read_manifest(files[MANIFEST])
    names = _files_of(manifest)
    for name in names:
        if name not in files:
            raise BundleError(f"The bundle has no {name}. Was it copied whole? Export it again.")
        digest = hashlib.sha256(files[name]).hexdigest()
        if digest != manifest.files.get(name):
            raise BundleError(
                f"The bundle's {name} is not the file that was exported: its SHA-256 is {digest}, "
                f"the manifest expects {manifest.files.get(name)}. Fetch or export it again."
            )
    if _version(manifest) != manifest.model_version:
        raise BundleError(
            f"The bundle's {MANIFEST} was changed: its model_version is {manifest.model_version}, "
            f"its content makes {_version(manifest)}. Fetch or export the bundle again."
        )
    return Bundle(manifest, {name: files[name] for name in names})


def _files_of(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of a bundle's files, except the manifest, in its format."""
    return (*_DECISIVE_FILES_OF[manifest.format_version], *_DESCRIBING_FILES)


def _version(manifest: Manifest) -> str:
    """Derive a version from what decides predictions."""
    facts = asdict(replace(manifest, model_version=""))
    decisive = _DECISIVE_FILES_OF[manifest.format_version]
    facts["files"] = {name: manifest.files.get(name) for name in decisive}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest; raise BundleError where this version does not read its format."""
    data = _parse(content, MANIFEST)
    if not isinstance(data, dict):
        raise BundleError(
            f"The bundle's {MANIFEST} is not a JSON object. Fetch or export the bundle again."
        )
    for name, readable in (
        ("format_version", _DECISIVE_FILES_OF.keys()),
        ("normalizer_version", {NORMALIZER_VERSION}),
    ):
        version = data.get(name)
        # JSON's true and 6.0 equal integers in Python, but are no versions.
        if type(version) is not int or version not in readable:
            raise BundleError(
                f"The bundle's {name} is {version!r}; this version of Aisle reads "
                f"{' and '.join(map(str, sorted(readable)))}. Use the Aisle that exported it, or "
                "train again."
            )
    try:
        features = FeatureSpec(**data["features"])
        thresholds = tuple(map(float, data["answer_thresholds"]))
        files = {str(name): str(digest) for name, digest in data["files"].items()}
        outside = Outside(**data["outside"]) if data["outside"] is not None else None
        _check_numbers(features, thresholds, outside, data["documents"])
        checked = {"features": features, "answer_thresholds": thresholds, "files": files}
        return Manifest(**data | checked | {"outside": outside})
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise BundleError(
            f"The bundle's {MANIFEST} cannot be read: {error}. Export the model again."
        ) from error


def _check_numbers(
    features: FeatureSpec, thresholds: Sequence[float], outside: Outside | None, documents: object
) -> None:
    """Raise ValueError if a number is out of range, so that no prediction hangs or is NaN."""
    sizes = (
        features.word_ngram_max,
        features.char_ngram_min,
        features.char_ngram_max,
        features.price_bins_per_doubling,
    )
    if not all(type(size) is int and 1 <= size <= _LARGEST for size in sizes):
        raise ValueError(f"the sizes of features are {sizes}; expected integers of 1 to {_LARGEST}")
    numbers: list[Any] = [*features.weights.values(), features.vector_weight, *thresholds]
    if outside is not None:
        numbers += [outside.slope, outside.shift]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise ValueError("a weight, threshold or calibration is not a finite number")
    if type(documents) is not int or not 0 <= documents < 2**53:
        raise ValueError(f"documents is {documents!r}; expected a number of products")


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
            "Expected a complete bundle, as `aisle train` or a publication writes it."
        ) from error
