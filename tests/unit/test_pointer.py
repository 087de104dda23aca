"""The pointer to the model that serves, and who may replace it."""

import json

import pytest

from aisle.errors import BundleError, PreconditionFailedError
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.store import FolderStore, layout

FIRST = Pointer("first", "0" * 64, "2026-01-02T03:04:05Z")
SECOND = Pointer("second", "1" * 64, "2026-02-03T04:05:06Z")


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_empty_store_has_no_pointer(store):
    """An empty store has no pointer."""
    assert read_pointer(store) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'"first"',
        b"null",
        b"{}",
        b'{"version": "first"}',
        b'{"version": "first", "test_sha256": "", "published_at": "", "more": 1}',
        b'{"version": 5, "test_sha256": "", "published_at": ""}',
        b'{"version": "../up", "test_sha256": "", "published_at": ""}',
    ],
)
def test_malformed_pointer(store, data):
    """A malformed pointer is an error that names it, not an empty store."""
    store.put(layout.current_model(), data)
    with pytest.raises(BundleError, match=r"models/current\.json"):
        read_pointer(store)


def test_pointer_round_trip(store):
    """A pointer is read as it was written, with the ETag that the next write needs."""
    write_pointer(store, FIRST, replacing=None)
    etag = store.get(layout.current_model()).etag
    assert read_pointer(store) == (FIRST, etag)


def test_pointer_is_plain_json(store):
    """The pointer is plain JSON with exactly three fields."""
    write_pointer(store, FIRST, replacing=None)
    assert json.loads(store.get(layout.current_model()).data) == {
        "version": "first",
        "test_sha256": "0" * 64,
        "published_at": "2026-01-02T03:04:05Z",
    }


def test_replacing_the_pointer(store):
    """A writer that has read the pointer replaces it."""
    write_pointer(store, FIRST, replacing=None)
    _, etag = read_pointer(store)
    write_pointer(store, SECOND, replacing=etag)
    assert read_pointer(store)[0] == SECOND


def test_first_publication_is_first(store):
    """A writer that expects an empty store replaces no pointer."""
    write_pointer(store, FIRST, replacing=None)
    with pytest.raises(PreconditionFailedError):
        write_pointer(store, SECOND, replacing=None)
    assert read_pointer(store)[0] == FIRST


def test_stale_pointer(store):
    """A writer whose pointer was replaced in the meantime fails."""
    write_pointer(store, FIRST, replacing=None)
    _, stale = read_pointer(store)
    write_pointer(store, SECOND, replacing=stale)
    with pytest.raises(PreconditionFailedError):
        write_pointer(store, FIRST, replacing=stale)
    assert read_pointer(store)[0] == SECOND
