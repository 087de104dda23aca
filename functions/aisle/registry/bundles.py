"""Bundles in a store: fetch and verify them, upload them, find the current one."""

from aisle.errors import BundleError, ObjectNotFoundError
from aisle.model import bundle
from aisle.model.bundle import Bundle, Manifest
from aisle.registry.pointer import read_pointer
from aisle.store import Store, layout


def fetch_bundle(store: Store, version: str) -> Bundle:
    """Fetch and verify a published bundle.

    Raises BundleError if it is incomplete, or has a format that this version cannot read.
    """
    fetched = bundle.read_by(lambda name: _file(store, version, name))
    _check_version(store, version, fetched.manifest)
    return fetched


def fetch_manifest(store: Store, version: str) -> Manifest:
    """Fetch only a published bundle's manifest; raise BundleError as `fetch_bundle` does."""
    manifest = bundle.read_manifest(_file(store, version, bundle.MANIFEST))
    _check_version(store, version, manifest)
    return manifest


def _file(store: Store, version: str, name: str) -> bytes:
    try:
        return store.get(layout.bundle_file(version, name)).data
    except ObjectNotFoundError as error:
        raise BundleError(
            f"Model {version} in {store.url} is incomplete or missing: it has no {name}. Expected "
            "a complete bundle. Check the version, publish it again, or roll back to another one."
        ) from error


def _check_version(store: Store, version: str, manifest: Manifest) -> None:
    if manifest.model_version != version:
        raise BundleError(
            f"Model {version} in {store.url} has the manifest of {manifest.model_version}. "
            "Expected the files published under this version. Publish it again."
        )


def upload_bundle(store: Store, uploaded: Bundle) -> None:
    """Write a bundle's files to the store, the manifest last."""
    version = uploaded.manifest.model_version
    for name, data in uploaded.to_files().items():
        store.put(layout.bundle_file(version, name), data)


def current_bundle(store: Store) -> Bundle:
    """Return the current bundle: the published one, or the packaged one if there is none."""
    pointed = read_pointer(store)
    if pointed is None:
        return bundle.read(bundle.PACKAGED)
    return fetch_bundle(store, pointed[0].version)
