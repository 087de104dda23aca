"""Load a classifier from the package, a store, or a folder with a bundle."""

import os
import re
from pathlib import Path
from typing import Final

from aisle.errors import StoreDeniedError, StoreError, StoreNotFoundError
from aisle.model import bundle
from aisle.model.bundle import Bundle
from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.registry.pointer import read_pointer
from aisle.store import FolderStore, Store, layout, open_store

# What pathlib makes of an address, and a frequent typing error.
_HALF_ADDRESS: Final = re.compile(r"(s3|file):/?(?!/)", re.IGNORECASE)
# What a store may hold before its first model: a catalogue, audit records, feedback, API keys.
_SIGNS_OF_A_STORE: Final = (
    layout.base_snapshots_prefix(),
    layout.audit_prefix(),
    layout.feedback_prefix(),
    layout.api_keys(),
)


def load(address: str | os.PathLike[str] | None = None) -> Classifier:
    """Load a classifier: the packaged model, or the one at an address.

    `address` is a store (`"shops/mine"`, `"file:///…"`, `"s3://bucket/prefix"`), whose current
    model is loaded, or a folder with a bundle, as `aisle model save` writes it. From a store
    without a published model, the packaged model is loaded, as `aisle serve` does; a place with
    neither a store nor a bundle is an error.

    Raises StoreNotFoundError if nothing is there, StoreDeniedError if it may not be read,
    StoreUnreachableError if it does not answer, StoreError for an address of another kind, and
    BundleError if the model is incomplete or has a format that this version cannot read.

    >>> load().manifest.format_version
    6
    """
    if address is None:
        return Classifier(bundle.read(bundle.PACKAGED))
    location = os.fspath(address)
    if not isinstance(location, str):
        raise TypeError(
            f"The address of a model was given as {type(location).__name__}. Expected a str or a "
            "path. Decode it."
        )
    half = _HALF_ADDRESS.match(location)
    if half and not Path(location).exists():
        raise StoreNotFoundError(
            f"No model can be loaded from {location!r}: it is neither a folder nor a complete "
            f"address. Expected a str that begins with {half[1].lower()}://, not a Path, which "
            "drops a slash. Give the address as a str."
        )
    store = open_store(location)
    if isinstance(store, FolderStore):
        return Classifier(_from_folder(store, store.folder))
    return Classifier(_from_store(store))


def _from_folder(store: Store, folder: Path) -> Bundle:
    """Read the bundle in a folder, or, if the folder is a store, the store's current bundle."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except FileNotFoundError as error:
        raise StoreNotFoundError(
            f"No model can be loaded from {str(folder)!r}: there is no such folder. Expected "
            "a store or a bundle. Correct the path; without a path, the packaged model is loaded."
        ) from error
    except NotADirectoryError as error:
        raise StoreNotFoundError(
            f"No model can be loaded from {str(folder)!r}: it is not a folder. Expected the folder "
            "of a store or of a bundle. Give that."
        ) from error
    except PermissionError as error:
        raise StoreDeniedError(
            f"No model can be loaded from {str(folder)!r}: {error.strerror}. Expected a folder "
            "that this process may read. Change its permissions, or run as another user."
        ) from error
    except OSError as error:
        raise StoreError(
            f"No model can be loaded from {str(folder)!r}: {error.strerror}. Expected a "
            "readable folder. Correct the path."
        ) from error
    return bundle.read(folder) if bundle.MANIFEST in names else _from_store(store)


def _from_store(store: Store) -> Bundle:
    """Return a store's current bundle; raise StoreNotFoundError if there is no store at all."""
    if read_pointer(store) is None:
        # A pointer that may not be read looks absent; this call raises if access is denied.
        store.exists(layout.current_model())
        if not any(any(store.list(prefix)) for prefix in _SIGNS_OF_A_STORE):
            raise StoreNotFoundError(
                f"No model can be loaded from {store.url}: it has no model and nothing else that "
                "belongs to a store. Expected a store, or a folder with a bundle's manifest.json. "
                "Correct the address; without an address, the packaged model is loaded."
            )
    return bundles.current_bundle(store)
