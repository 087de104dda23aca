"""A bundle is whole or refused; its version says what decides predictions."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from aisle.errors import BundleError
from aisle.model import bundle
from aisle.model.bundle import (
    CATEGORIES,
    DECISIVE_FILES,
    FILES,
    GOLDEN,
    KNN,
    LINEAR,
    MANIFEST,
    METRICS,
    MODEL_CARD,
    NAIVE_BAYES,
    PIECES,
    RERANKER,
    VOCABULARY,
    WORD_VECTORS,
)
from aisle.model.rerank.calibration import Outside
from aisle.model.tfidf import FeatureSpec
from aisle.model.word_vectors import PieceVectors

CONTENT = {
    LINEAR: b"\x08",
    VOCABULARY: b"w:pan\t3\n",
    CATEGORIES: b'{"classes": [], "categories": []}',
    PIECES: b"pan\n##s\n",
    WORD_VECTORS: b"\x08",
    RERANKER: b"",
    KNN: b"",
    NAIVE_BAYES: b"",
    METRICS: b'{"accuracy": 0.5}',
    GOLDEN: b"",
    MODEL_CARD: "# Kärtchen\n".encode(),
}
FACTS = {
    "features": FeatureSpec(2, 3, 5, 2, {"w": 1.0, "c": 0.5}, 1.0),
    "documents": 12,
    "answer_thresholds": (0.5, 0.75),
    "outside": Outside(0.5, -1.0),
    "dataset": {"snapshot": "s1", "products": {"train": 12}},
    "libraries": {"numpy": "2.2.0"},
}


@pytest.fixture
def whole():
    """Give a bundle whose files hold next to nothing."""
    return bundle.assemble(CONTENT, **FACTS)


def with_manifest(whole, **changes):
    """Return a bundle's files, fields of the manifest changed."""
    manifest = json.loads(whole.to_files()[MANIFEST])
    return {**whole.files, MANIFEST: json.dumps({**manifest, **changes}).encode()}


def test_round_trip(whole, tmp_path):
    """What was written is what is read."""
    bundle.write(tmp_path / "new" / "model", whole)
    assert bundle.read(tmp_path / "new" / "model") == whole


def test_a_bundle_is_its_files_and_the_manifest(whole, tmp_path):
    """Nothing else is written."""
    bundle.write(tmp_path, whole)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, MANIFEST}


def test_names_of_files():
    """Stores hold bundles under these names, whatever the code calls them."""
    assert MANIFEST == "manifest.json"
    assert set(FILES) == {
        "MODEL_CARD.md",
        "categories.json",
        "golden.jsonl",
        "knn.safetensors",
        "linear.safetensors",
        "metrics.json",
        "naive_bayes.safetensors",
        "pieces.txt",
        "reranker.onnx",
        "vocabulary.tsv",
        "word_vectors.safetensors",
    }


def test_a_model_without_a_second_stage():
    """Such a model has nothing to calibrate outside the candidates, also after it is read."""
    plain = bundle.assemble(CONTENT, **FACTS | {"outside": None})
    assert bundle.verify(plain.to_files()) == plain
    assert plain.manifest.outside is None


def test_a_folder_that_cannot_be_written(whole, tmp_path):
    """A path that is a file is refused by name."""
    (tmp_path / "model").write_text("a file")
    with pytest.raises(BundleError, match=r"cannot be written to .*model: File exists\. Expected"):
        bundle.write(tmp_path / "model", whole)


def test_the_manifest_comes_last(whole):
    """Whoever is interrupted while writing leaves no bundle that looks whole."""
    assert [*whole.to_files()][-1] == MANIFEST


def test_other_files_are_left_out():
    """A bundle has the files of the layout and no others."""
    assembled = bundle.assemble({**CONTENT, "notes.txt": b"private"}, **FACTS)
    assert set(assembled.files) == set(FILES)


def test_hashes(whole):
    """The manifest has the SHA-256 of every file."""
    expected = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    assert whole.manifest.files == expected


@pytest.mark.parametrize("name", FILES)
def test_assemble_needs_every_file(name):
    """A bundle cannot be made without one of its files; the message names it."""
    files = {other: data for other, data in CONTENT.items() if other != name}
    with pytest.raises(BundleError, match=name):
        bundle.assemble(files, **FACTS)


@pytest.mark.parametrize(
    "changes", [{"documents": 13}, {"outside": None}, {"model_version": "0123456789ab"}], ids=str
)
def test_changed_manifest(whole, changes):
    """A manifest that does not make its own version is refused; the message has both versions."""
    files = with_manifest(whole, **changes)
    stated = changes.get("model_version", whole.manifest.model_version)
    with pytest.raises(
        BundleError,
        match=rf"manifest\.json was changed: its model_version is {stated}, its content makes "
        r"[0-9a-f]{12}\.",
    ):
        bundle.verify(files)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_missing_file(whole, tmp_path, name):
    """A folder without one of the files is no bundle; the message names the file."""
    bundle.write(tmp_path, whole)
    (tmp_path / name).unlink()
    with pytest.raises(BundleError, match=name):
        bundle.read(tmp_path)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_missing_among_files(whole, name):
    """Files from elsewhere are checked in the same way."""
    files = {other: data for other, data in whole.to_files().items() if other != name}
    with pytest.raises(BundleError, match=name):
        bundle.verify(files)


@pytest.mark.parametrize("name", FILES)
def test_changed_byte(whole, tmp_path, name):
    """One bit more or less in any file is noticed; the message names the file."""
    changed = whole.files[name][:-1] + bytes([sum(whole.files[name][-1:]) ^ 1])
    bundle.write(tmp_path, whole)
    (tmp_path / name).write_bytes(changed)
    with pytest.raises(BundleError, match=f"{name} is not the file"):
        bundle.read(tmp_path)


def test_no_folder(tmp_path):
    """A folder that does not exist is no bundle."""
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        bundle.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "reads"), [("format_version", "5 and 6"), ("normalizer_version", "1")]
)
@pytest.mark.parametrize("version", [0, 4, "1", True, None])
def test_other_versions(whole, field, reads, version):
    """A bundle of another format or normalizer is refused; the message has both versions."""
    with pytest.raises(BundleError, match=f"{field} is {version!r}.* reads {reads}"):
        bundle.verify(with_manifest(whole, **{field: version}))


def test_the_format_is_asked_before_the_files(whole, tmp_path):
    """If a bundle has another format, the error names the format, not the missing files."""
    bundle.write(tmp_path, whole)
    (tmp_path / MANIFEST).write_bytes(with_manifest(whole, format_version=4)[MANIFEST])
    (tmp_path / NAIVE_BAYES).unlink()
    with pytest.raises(BundleError, match="format_version is 4"):
        bundle.read(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"format_version: 1"])
def test_manifest_is_not_json(whole, data):
    """A manifest that is no JSON is refused by name."""
    with pytest.raises(BundleError, match=r"manifest\.json is not JSON"):
        bundle.verify({**whole.files, MANIFEST: data})


@pytest.mark.parametrize("data", [b"[]", b"null", b'"bundle"', b"1"])
def test_manifest_is_no_object(whole, data):
    """A manifest of another shape is refused."""
    with pytest.raises(BundleError, match=r"manifest\.json is not a JSON object"):
        bundle.verify({**whole.files, MANIFEST: data})


@pytest.mark.parametrize(
    "field",
    [
        "answer_thresholds",
        "dataset",
        "documents",
        "features",
        "files",
        "libraries",
        "model_version",
        "outside",
    ],
)
def test_manifest_lacks_a_field(whole, field):
    """A manifest without one of its fields is refused; the message names file and field."""
    manifest = json.loads(whole.to_files()[MANIFEST])
    del manifest[field]
    with pytest.raises(BundleError, match=rf"manifest\.json cannot be read: .*'{field}'"):
        bundle.verify({**whole.files, MANIFEST: json.dumps(manifest).encode()})


@pytest.mark.parametrize("field", ["format_version", "normalizer_version"])
def test_manifest_lacks_a_version(whole, field):
    """A manifest that does not say its versions is refused."""
    manifest = json.loads(whole.to_files()[MANIFEST])
    del manifest[field]
    with pytest.raises(BundleError, match=f"{field} is None"):
        bundle.verify({**whole.files, MANIFEST: json.dumps(manifest).encode()})


@pytest.mark.parametrize(
    "changes",
    [
        {"features": None},
        {"features": {"word_ngram_max": 2}},
        {"answer_thresholds": None},
        {"answer_thresholds": ["high"]},
        {"answer_thresholds": [10**400]},
        {"outside": {"slope": 1}},
        {"more": 1},
        {"files": None},
        {"files": []},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_manifest_fields_of_another_shape(whole, changes):
    """A manifest whose fields are not what they should be is refused by name."""
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        bundle.verify(with_manifest(whole, **changes))


def test_json_of_a_file(whole):
    """A file's JSON is given parsed."""
    assert whole.json(METRICS) == {"accuracy": 0.5}


def test_json_of_a_file_that_is_none(whole):
    """A file that is no JSON is refused by name."""
    with pytest.raises(BundleError, match=rf"{MODEL_CARD} is not JSON"):
        whole.json(MODEL_CARD)


def test_same_content_same_bundle(whole):
    """The bundle does not depend on the order in which it is put together."""
    again = bundle.assemble(
        dict(reversed(CONTENT.items())),
        **dict(reversed(FACTS.items())) | {"dataset": dict(reversed(FACTS["dataset"].items()))},
    )
    assert again.to_files() == whole.to_files()


@pytest.mark.parametrize("name", DECISIVE_FILES)
def test_version_depends_on_decisive_files(whole, name):
    """Another model, vocabulary or taxonomy is another version."""
    other = bundle.assemble({**CONTENT, name: CONTENT[name] + b" "}, **FACTS)
    assert other.manifest.model_version != whole.manifest.model_version


@pytest.mark.parametrize("name", [METRICS, GOLDEN, MODEL_CARD])
def test_version_does_not_depend_on_descriptions(whole, name):
    """Other figures, examples or another card are the same version."""
    other = bundle.assemble({**CONTENT, name: b"{}"}, **FACTS)
    assert other.manifest.model_version == whole.manifest.model_version


@pytest.mark.parametrize(
    "changes",
    [
        {"documents": 13},
        {"answer_thresholds": (0.5, 0.76)},
        {"outside": Outside(0.5, -1.5)},
        {"dataset": {"snapshot": "s2"}},
        {"features": FeatureSpec(2, 3, 5, 2, {"w": 1.0, "c": 0.25}, 1.0)},
        {"features": FeatureSpec(2, 3, 5, 3, {"w": 1.0, "c": 0.5}, 1.0)},
    ],
    ids=str,
)
def test_version_depends_on_facts(whole, changes):
    """Other parameters or other data are another version."""
    other = bundle.assemble(CONTENT, **FACTS | changes)
    assert other.manifest.model_version != whole.manifest.model_version


def test_version_depends_on_the_normaliser(whole, monkeypatch):
    """A model of other words is another version."""
    monkeypatch.setattr(bundle, "NORMALIZER_VERSION", 2)
    other = bundle.assemble(CONTENT, **FACTS)
    assert other.manifest.model_version != whole.manifest.model_version


def test_describe_keeps_the_version(whole):
    """Figures that are added later do not make another model."""
    described = bundle.describe(whole, {METRICS: b'{"accuracy": 0.9}'})
    assert described.manifest.model_version == whole.manifest.model_version


def test_describe_replaces_only_what_is_given(whole):
    """The files given are in the bundle, the others stay, and it is whole."""
    described = bundle.describe(whole, {METRICS: b"{}"})
    assert bundle.verify(described.to_files()).files == {**whole.files, METRICS: b"{}"}


def with_vectors(whole, vectors):
    """Return a bundle with other vectors, given as an array or as bytes."""
    data = vectors if isinstance(vectors, bytes) else PieceVectors(vectors).to_bytes()
    return bundle.describe(whole, {WORD_VECTORS: data})


def test_word_pieces(whole):
    """Pieces and their vectors are read together."""
    vectors = np.array([[1, -2], [3, 4]], np.int8)
    pieces, read = with_vectors(whole, vectors).word_pieces()
    assert pieces == ["pan", "##s"]
    assert read.tolist() == vectors.tolist()


def test_word_pieces_that_are_not_utf_8(whole):
    """A byte that is not UTF-8 does not keep a model from being loaded."""
    other = bundle.describe(whole, {PIECES: b"p\xffn\n##s\n"})
    pieces, _ = with_vectors(other, np.zeros((2, 3), np.int8)).word_pieces()
    assert pieces == ["p\ufffdn", "##s"]


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("linear_stage", "linear.safetensors"),
        ("word_pieces", "word_vectors.safetensors"),
        ("nearest_neighbours", "knn.safetensors"),
        ("naive_bayes", "naive_bayes.safetensors"),
    ],
)
def test_parts_are_read_from_their_files(whole, part, file):
    """A part that cannot be read is refused by the name of its own file."""
    with pytest.raises(BundleError, match=f"The bundle's {file} cannot be read"):
        getattr(whole, part)()


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("linear_stage", "model.onnx"),
        ("word_pieces", "vectors.npy"),
        ("nearest_neighbours", "neighbours.npy"),
        ("naive_bayes", "likelihoods.npy"),
    ],
)
def test_parts_of_the_last_format_are_read_from_its_files(whole, part, file):
    """A bundle of format 5 has these parts in other files."""
    files = dict.fromkeys(["model.onnx", "vectors.npy", "neighbours.npy", "likelihoods.npy"], b"")
    manifest = replace(whole.manifest, format_version=5)
    with pytest.raises(BundleError, match=rf"The bundle's {file} cannot be (read|loaded)"):
        getattr(bundle.Bundle(manifest, {PIECES: b"", **files}), part)()


@pytest.mark.parametrize(
    ("vectors", "match"),
    [
        (b"", "cannot be read"),
        (PieceVectors(np.zeros((2, 2), np.int8)).to_bytes()[:-1], "cannot be read"),
        (np.zeros((3, 2), np.int8), r"are int8 \(3, 2\).*int8 \(2, dimensions\)"),
        (np.zeros((2, 2), np.float32), "vectors as float32"),
    ],
    ids=["empty", "truncated", "too many", "floats"],
)
def test_vectors_that_do_not_fit(whole, vectors, match):
    """Vectors of another type or number are refused."""
    with pytest.raises(BundleError, match=match):
        with_vectors(whole, vectors).word_pieces()
