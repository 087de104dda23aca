"""Builds in the store: a damaged object is an error that names the stage to run again."""

import io

import numpy as np
import pytest

from aisle.errors import DataError, MalformedObjectError
from aisle.model import bundle
from aisle.store import FolderStore, layout
from aisle_training import builds
from aisle_training.release.gate import Check, Judgement

BUILD = "0" * 12
JUDGEMENT = Judgement("v1", "v0", '"etag"', (Check("size", passed=True, detail="small"),), {"a": 1})


def archive(**arrays):
    """Return arrays as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_judgement_round_trip(store):
    """The gate's judgement is read back as it was written, with the facts of its report."""
    builds.save_judgement(store, BUILD, JUDGEMENT, {"accuracy": 0.5})
    assert builds.load_judgement(store, BUILD) == (JUDGEMENT, {"accuracy": 0.5})


@pytest.mark.parametrize("damage", [b"", b"null", b"[]", b"{}", b"[" * 100_000])
@pytest.mark.parametrize(
    ("name", "load", "stage"),
    [
        ("judgement.json", builds.load_judgement, "gate"),
        ("exported.json", builds.load_parity, "export"),
    ],
)
def test_damaged_object_names_its_stage(store, damage, name, load, stage):
    """Whatever stands in place of a stage's result, the error names the object and the stage."""
    key = layout.build_file(BUILD, name)
    store.put(key, damage)
    with pytest.raises(MalformedObjectError, match=f"^{key} .*Run the {stage} stage again"):
        load(store, BUILD)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"no archive",
        archive(naive_bayes=np.zeros(0)),
        archive(naive_bayes=np.zeros(0), about=np.frombuffer(b"[]", np.uint8)),
        archive(naive_bayes=np.zeros(0), about=np.frombuffer(b"[" * 100_000, np.uint8)),
        archive(naive_bayes=np.zeros(0))[:-30],
    ],
    ids=["empty", "no archive", "no facts", "array", "deep", "cut off"],
)
def test_damaged_trained_model_names_the_fit_stage(store, damage):
    """A trained model that cannot be decoded is an error that says to fit again."""
    key = layout.build_file(BUILD, "trained.npz")
    store.put(key, damage)
    with pytest.raises(MalformedObjectError, match=f"^{key} .*Run the fit stage again"):
        builds.load_trained(store, BUILD)


def test_unknown_build_is_named(store):
    """An id that no fit stage printed is an error that says so."""
    with pytest.raises(DataError, match=f"no build {BUILD}"):
        builds.load_trained(store, BUILD)


@pytest.mark.parametrize("damage", [b"", b"null", b"[]", b'{"version": 1}'])
def test_damaged_evaluation_names_the_evaluate_stage(store, damage):
    """Damaged metrics of a bundle are an error that says to evaluate it again."""
    packaged = bundle.read(bundle.PACKAGED)
    builds.save_bundle(store, BUILD, packaged, parity=0.0)
    key = layout.build_file(BUILD, "evaluated.json")
    store.put(key, damage)
    with pytest.raises(MalformedObjectError, match=f"^{key} .*run the evaluate stage again"):
        builds.load_bundle(store, BUILD)
