"""Bundles in a store: uploaded, fetched, checked, and chosen by the pointer."""

import json

import pytest

from aisle.errors import BundleError
from aisle.model import bundle
from aisle.model.bundle import FILES, MANIFEST
from aisle.registry import bundles
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.store import FolderStore, layout


class RecordingStore(FolderStore):
    """A folder that records the order of writes."""

    def __init__(self, root):
        super().__init__(root)
        self.written = []

    def put(self, key, data, *, if_absent=False, if_match=None):
        """Write, and record the key."""
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
    """An empty store serves the packaged model."""
    packaged = bundle.read(bundle.PACKAGED)
    assert bundles.current_bundle(store).manifest == packaged.manifest


def test_upload_alone_serves_nothing(store, version):
    """An uploaded bundle does not serve until the pointer names it."""
    assert read_pointer(store) is None


def test_published_bundle(store, version, made_up_bundle):
    """The bundle that the pointer names serves, byte for byte."""
    write_pointer(store, Pointer(version, "", ""), replacing=None)
    assert bundles.current_bundle(store) == made_up_bundle


def test_upload_ends_with_the_manifest(store, version):
    """The manifest is written last, so that an interrupted upload never looks complete."""
    assert store.written[-1] == layout.bundle_file(version, MANIFEST)


def test_absent_version(store):
    """A pointer to a missing version is an error that names it; no other model serves."""
    write_pointer(store, Pointer("first", "0" * 64, "2026-01-02T03:04:05Z"), replacing=None)
    with pytest.raises(BundleError, match=r"Model first in file://.* has no manifest\.json"):
        bundles.current_bundle(store)


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_incomplete_version(store, version, name):
    """A version with a missing file is refused; the message names version and file."""
    store.delete(layout.bundle_file(version, name))
    with pytest.raises(BundleError, match=f"Model {version} .* has no {name}"):
        bundles.fetch_bundle(store, version)


def test_version_of_another_format(store, version):
    """The error for another format names the format, not the files that this format lacks."""
    manifest = json.loads(store.get(layout.bundle_file(version, MANIFEST)).data)
    other = json.dumps({**manifest, "format_version": 4}).encode()
    store.put(layout.bundle_file(version, MANIFEST), other)
    store.delete(layout.bundle_file(version, FILES[-1]))
    with pytest.raises(BundleError, match="format_version is 4"):
        bundles.fetch_bundle(store, version)


@pytest.mark.parametrize("name", FILES)
def test_changed_version(store, version, name):
    """A file changed after publication is refused by name."""
    store.put(layout.bundle_file(version, name), b"changed")
    with pytest.raises(BundleError, match=f"{name} is not the file"):
        bundles.fetch_bundle(store, version)


def test_version_under_another_name(store, version, made_up_bundle):
    """A bundle stored under another version's name is refused."""
    for name, data in made_up_bundle.to_files().items():
        store.put(layout.bundle_file("other", name), data)
    with pytest.raises(BundleError, match="other"):
        bundles.fetch_bundle(store, "other")


def test_malformed_pointer_is_an_error(store):
    """A store with a malformed pointer serves no model, not even the packaged one."""
    store.put(layout.current_model(), b"{")
    with pytest.raises(BundleError, match=r"models/current\.json"):
        bundles.current_bundle(store)
