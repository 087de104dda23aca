"""The code digest of the shipped candidate, and the rebuilt word pieces."""

import numpy as np
import pytest

import aisle
import aisle_training
from aisle.model.bundle import PIECES, WORD_VECTORS
from aisle.model.word_vectors import PieceVectors
from aisle_benchmark.candidates.shipped import Shipped, code_digest, digest_of
from aisle_benchmark.research import word_pieces


@pytest.fixture
def rooms(tmp_path):
    """Write a package with a nested package."""
    room = tmp_path / "room" / "corner"
    room.mkdir(parents=True)
    (tmp_path / "top.py").write_text("A = 1\n", encoding="utf-8")
    (room / "deep.py").write_text("B = 1\n", encoding="utf-8")
    return tmp_path


def test_code_in_a_nested_package_counts(rooms):
    """A change in a nested package changes the digest; a comment does not."""
    before = digest_of([rooms], "")
    deep = rooms / "room" / "corner" / "deep.py"
    deep.write_text("B = 1  # with a comment\n", encoding="utf-8")
    assert digest_of([rooms], "") == before
    deep.write_text("B = 2\n", encoding="utf-8")
    assert digest_of([rooms], "") != before


def test_settings_count(rooms):
    """Other parameters give another digest."""
    assert digest_of([rooms], "a") != digest_of([rooms], "b")


def test_digest_reads_both_packages(monkeypatch, rooms):
    """Code in either package changes the digest."""
    code_digest.cache_clear()
    before = Shipped().identity()["code"]
    for package in (aisle, aisle_training):
        with monkeypatch.context() as patch:
            patch.setattr(package, "__path__", [*package.__path__, str(rooms)])
            code_digest.cache_clear()
            assert Shipped().identity()["code"] != before
    code_digest.cache_clear()


def test_word_pieces_are_written_as_training_reads_them(tmp_path):
    """Placeholders are left out; pieces and 8-bit vectors have the same rows."""
    vectors = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    vocabulary = ["[PAD]", "pan", "##s", "[unused1]", "wok", "lid", "mug", "cup", "jar"]
    assert word_pieces.write(tmp_path, vocabulary, vectors, 4) == 7
    pieces = (tmp_path / PIECES).read_text(encoding="utf-8").splitlines()
    assert pieces == ["pan", "##s", "wok", "lid", "mug", "cup", "jar"]
    written = PieceVectors.from_bytes((tmp_path / WORD_VECTORS).read_bytes(), WORD_VECTORS).vectors
    assert (written.shape, written.dtype) == ((7, 4), np.int8)
    assert np.abs(written).max() == 127


def test_reduced_vectors_keep_their_cosines():
    """Vectors of low rank keep their cosines in as many dimensions, and get one length."""
    chance = np.random.default_rng(1)
    low = chance.normal(size=(40, 3))
    low -= low.mean(axis=0)
    wide = (low @ np.linalg.qr(chance.normal(size=(20, 3)))[0].T).astype(np.float32)
    reduced = word_pieces.reduce(wide, 3).astype(np.float64)
    unit = low / np.linalg.norm(low, axis=1, keepdims=True)
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    assert lengths == pytest.approx(lengths.mean(), rel=0.02)
    reduced /= lengths
    assert reduced @ reduced.T == pytest.approx(unit @ unit.T, abs=0.05)
