"""Which model serves: the pointer, who may move it, and the bundle that it names."""

import json

import pytest

from aisle.errors import BundleError, PreconditionFailedError
from aisle.model import bundle
from aisle.model.bundle import FILES, MANIFEST
from aisle.registry import bundles
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.store import FolderStore, layout

FIRST = Pointer("first", "0" * 64, "2026-01-02T03:04:05Z")
SECOND = Pointer("second", "1" * 64, "2026-02-03T04:05:06Z")


class RecordingStore(FolderStore):
    """A folder that remembers what was put in which order."""

    def __init__(self, root):
        super().__init__(root)
        self.written = []

    def put(self, key, data, *, if_absent=False, if_match=None):
        """Write, and note the key."""
        self.written.append(key)
        return super().put(key, data, if_absent=if_absent, if_match=if_match)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return RecordingStore(tmp_path / "store")


@pytest.fixture
def version(store, made_up_bundle):
    """Upload a bundle, and give its version."""
    bundles.upload_bundle(store, made_up_bundle)
    return made_up_bundle.manifest.model_version


def test_empty_store(store):
    """A store in which nothing was published serves the model that comes with the library."""
    packaged = bundle.read(bundle.PACKAGED)
    assert bundles.current_bundle(store).manifest == packaged.manifest


def test_empty_store_has_no_pointer(store):
    """A store in which nothing was published names no version."""
    assert read_pointer(store) is None


def test_upload_alone_serves_nothing(store, version):
    """A bundle in the store is not served before the pointer names it."""
    assert read_pointer(store) is None


def test_published_bundle(store, version, made_up_bundle):
    """The bundle that the pointer names is served, every byte of it."""
    write_pointer(store, Pointer(version, "", ""), replacing=None)
    assert bundles.current_bundle(store) == made_up_bundle


def test_upload_ends_with_the_manifest(store, version):
    """An upload that breaks off leaves no bundle that looks whole."""
    assert store.written[-1] == layout.bundle_file(version, MANIFEST)


def test_absent_version(store):
    """A pointer to a version that is not there is an error that names it, not another model."""
    write_pointer(store, FIRST, replacing=None)
    with pytest.raises(BundleError, match=r"model first in file://.* has no manifest\.json"):
        bundles.current_bundle(store)


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_incomplete_version(store, version, name):
    """A version that lacks a file is refused; the message names version and file."""
    store.delete(layout.bundle_file(version, name))
    with pytest.raises(BundleError, match=f"model {version} .* has no {name}"):
        bundles.fetch_bundle(store, version)


def test_version_of_another_format(store, version):
    """Of a model of another format, which may have other files, the format is what is told."""
    manifest = json.loads(store.get(layout.bundle_file(version, MANIFEST)).data)
    other = json.dumps({**manifest, "format_version": 4}).encode()
    store.put(layout.bundle_file(version, MANIFEST), other)
    store.delete(layout.bundle_file(version, FILES[-1]))
    with pytest.raises(BundleError, match="format_version is 4"):
        bundles.fetch_bundle(store, version)


@pytest.mark.parametrize("name", FILES)
def test_changed_version(store, version, name):
    """A published file that was changed is refused by name."""
    store.put(layout.bundle_file(version, name), b"changed")
    with pytest.raises(BundleError, match=f"{name} is not the file"):
        bundles.fetch_bundle(store, version)


def test_version_under_another_name(store, version, made_up_bundle):
    """A bundle that lies where another version should be is refused."""
    for name, data in made_up_bundle.to_files().items():
        store.put(layout.bundle_file("other", name), data)
    with pytest.raises(BundleError, match="other"):
        bundles.fetch_bundle(store, "other")


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
    """A pointer that cannot be read is an error that names it, not an empty store."""
    store.put(layout.current_model(), data)
    with pytest.raises(BundleError, match=r"models/current\.json"):
        bundles.current_bundle(store)


def test_pointer_round_trip(store):
    """What was written is what is read, with the ETag that the next write needs."""
    write_pointer(store, FIRST, replacing=None)
    etag = store.get(layout.current_model()).etag
    assert read_pointer(store) == (FIRST, etag)


def test_pointer_is_plain_json(store):
    """The pointer is JSON that a person can read and write."""
    write_pointer(store, FIRST, replacing=None)
    assert json.loads(store.get(layout.current_model()).data) == {
        "version": "first",
        "test_sha256": "0" * 64,
        "published_at": "2026-01-02T03:04:05Z",
    }


def test_replacing_the_pointer(store):
    """Who has read the pointer may replace it."""
    write_pointer(store, FIRST, replacing=None)
    _, etag = read_pointer(store)
    write_pointer(store, SECOND, replacing=etag)
    assert read_pointer(store)[0] == SECOND


def test_first_publication_is_first(store):
    """Who believes the store to be empty replaces no pointer."""
    write_pointer(store, FIRST, replacing=None)
    with pytest.raises(PreconditionFailedError):
        write_pointer(store, SECOND, replacing=None)
    assert read_pointer(store)[0] == FIRST


def test_stale_pointer(store):
    """Who has read a pointer that was replaced since loses."""
    write_pointer(store, FIRST, replacing=None)
    _, stale = read_pointer(store)
    write_pointer(store, SECOND, replacing=stale)
    with pytest.raises(PreconditionFailedError):
        write_pointer(store, FIRST, replacing=stale)
    assert read_pointer(store)[0] == SECOND
