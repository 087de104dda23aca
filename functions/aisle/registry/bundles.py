"""Bundles in a store: fetched and checked, written, and the one that serves."""

from aisle.errors import BundleError, ObjectNotFoundError
from aisle.model import bundle
from aisle.model.bundle import Bundle, Manifest
from aisle.registry.pointer import read_pointer
from aisle.store import Store, layout


def fetch_bundle(store: Store, version: str) -> Bundle:
    """Read and check a published bundle.

    Raises BundleError where it is not whole, or of a format that this version does not read.
    """
    whole = bundle.read_by(lambda name: _file(store, version, name))
    _check_version(store, version, whole.manifest)
    return whole


def fetch_manifest(store: Store, version: str) -> Manifest:
    """Read a published bundle's manifest alone; raise BundleError as `fetch_bundle` does."""
    manifest = bundle.read_manifest(_file(store, version, bundle.MANIFEST))
    _check_version(store, version, manifest)
    return manifest


def _file(store: Store, version: str, name: str) -> bytes:
    try:
        return store.get(layout.bundle_file(version, name)).data
    except ObjectNotFoundError as error:
        raise BundleError(
            f"There is no whole model {version} in {store.url}: it has no {name}. Check the "
            "version, publish it again, or go back to another one."
        ) from error


def _check_version(store: Store, version: str, manifest: Manifest) -> None:
    if manifest.model_version != version:
        raise BundleError(
            f"Model {version} in {store.url} is really {manifest.model_version}. Expected "
            "the files that were published under this version. Publish it again."
        )


def upload_bundle(store: Store, whole: Bundle) -> None:
    """Write a bundle's files to the store, the manifest last."""
    version = whole.manifest.model_version
    for name, data in whole.to_files().items():
        store.put(layout.bundle_file(version, name), data)


def current_bundle(store: Store) -> Bundle:
    """Return the bundle that serves: the published one, or the packaged one of an empty store."""
    found = read_pointer(store)
    if found is None:
        return bundle.read(bundle.PACKAGED)
    return fetch_bundle(store, found[0].version)
