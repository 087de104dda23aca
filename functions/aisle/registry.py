"""Which model serves: the store's pointer, and the bundle that it names."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from aisle import bundle, keys
from aisle.bundle import Bundle
from aisle.errors import BundleError, ObjectNotFoundError, StoreError
from aisle.store import Store


@dataclass(frozen=True, slots=True)
class Pointer:
    """What `models/current.json` says: the version that serves, and how it came to.

    `test_sha256` names the frozen test that it was measured on; `published_at` is ISO 8601, UTC.
    """

    version: str
    test_sha256: str
    published_at: str


def read_pointer(store: Store) -> tuple[Pointer, str] | None:
    """Return the pointer and its ETag, or None where nothing was published.

    Raises BundleError where the pointer is malformed.
    """
    try:
        found = store.get(keys.current_model())
    except ObjectNotFoundError:
        return None
    return parse_pointer(found.data, store.url), found.etag


def parse_pointer(data: bytes, url: str) -> Pointer:
    """Read a pointer's content; raise BundleError, which names its store, where it is malformed."""
    try:
        facts: dict[str, Any] = json.loads(data)
        pointer = Pointer(**facts)
        keys.bundle_prefix(pointer.version)
    except (AttributeError, TypeError, ValueError, StoreError) as error:
        raise BundleError(
            f"{keys.current_model()} in {url} is malformed: {error}. Expected a JSON object "
            "with version, test_sha256 and published_at. Publish a model again."
        ) from error
    return pointer


def write_pointer(store: Store, pointer: Pointer, *, replacing: str | None) -> None:
    """Make a version the one that serves; `replacing` is the ETag of the pointer it replaces.

    Raises PreconditionFailedError where somebody else has published since.
    """
    data = json.dumps(asdict(pointer), indent=2, sort_keys=True).encode()
    store.put(keys.current_model(), data, if_absent=replacing is None, if_match=replacing)


def fetch_bundle(store: Store, version: str) -> Bundle:
    """Read and check a published bundle.

    Raises BundleError where it is not whole, or of a format that this version does not read.
    """

    def get(name: str) -> bytes:
        try:
            return store.get(keys.bundle_file(version, name)).data
        except ObjectNotFoundError as error:
            raise BundleError(
                f"There is no whole model {version} in {store.url}: it has no {name}. Check the "
                "version, publish it again, or go back to another one."
            ) from error

    whole = bundle.read_by(get)
    if whole.manifest.model_version != version:
        raise BundleError(
            f"Model {version} in {store.url} is really {whole.manifest.model_version}. Expected "
            "the files that were published under this version. Publish it again."
        )
    return whole


def upload_bundle(store: Store, whole: Bundle) -> None:
    """Write a bundle's files to the store, the manifest last."""
    version = whole.manifest.model_version
    for name, data in whole.to_files().items():
        store.put(keys.bundle_file(version, name), data)


def current_bundle(store: Store) -> Bundle:
    """Return the bundle that serves: the published one, or the packaged one of an empty store."""
    found = read_pointer(store)
    if found is None:
        return bundle.read(bundle.PACKAGED)
    return fetch_bundle(store, found[0].version)
