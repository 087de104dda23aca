"""A classifier from wherever a model lies: the package, a store, a bundle in a folder."""

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

# What pathlib leaves of an address, and a frequent slip of the pen.
_HALF_ADDRESS: Final = re.compile(r"(s3|file):/?(?!/)", re.IGNORECASE)
# What a store holds before a model serves from it: a catalogue, verdicts, feedback, API keys.
_SIGNS_OF_A_STORE: Final = (
    layout.base_snapshots_prefix(),
    layout.audit_prefix(),
    layout.feedback_prefix(),
    layout.api_keys(),
)


def load(address: str | os.PathLike[str] | None = None) -> Classifier:
    """Load a classifier: the packaged model, or the one at an address.

    `address` is a store (`"shops/mine"`, `"file:///…"`, `"s3://bucket/prefix"`), which gives the
    model that serves from it, or a folder with a bundle, as `aisle model save` writes one. A store
    that has published nothing yet gives the packaged model, as `aisle serve` does there; a place
    that holds no store and no bundle is an error.

    Raises StoreNotFoundError where nothing is there, StoreDeniedError where it may not be read,
    StoreUnreachableError where it does not answer, StoreError for an address of another kind, and
    BundleError where the model there is not whole, or of a format that this version does not read.

    >>> load().manifest.format_version
    5
    """
    if address is None:
        return Classifier(bundle.read(bundle.PACKAGED))
    given = os.fspath(address)
    if not isinstance(given, str):
        raise TypeError(
            f"The address of a model was given as {type(given).__name__}. Expected was a text or a "
            "path. Decode it."
        )
    half = _HALF_ADDRESS.match(given)
    if half and not Path(given).exists():
        raise StoreNotFoundError(
            f"No model can be loaded from {given!r}: that is neither a folder nor a whole address. "
            f"Expected was a text that begins with {half[1].lower()}://, not a Path of it, which "
            "leaves a slash out. Give the address as a text."
        )
    store = open_store(given)
    if isinstance(store, FolderStore):
        return Classifier(_from_folder(store, store.folder))
    return Classifier(_from_store(store))


def _from_folder(store: Store, folder: Path) -> Bundle:
    """Read the bundle that a folder is, or the one that serves from the store that it is."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except FileNotFoundError as error:
        raise StoreNotFoundError(
            f"No model can be loaded from {str(folder)!r}: there is no such folder. Expected was "
            "a store or a bundle. Correct the path; without one, the packaged model is loaded."
        ) from error
    except NotADirectoryError as error:
        raise StoreNotFoundError(
            f"No model can be loaded from {str(folder)!r}: it is no folder. Expected was the "
            "folder of a store or of a bundle. Give that."
        ) from error
    except PermissionError as error:
        raise StoreDeniedError(
            f"No model can be loaded from {str(folder)!r}: {error.strerror}. A folder that this "
            "process may read was expected. Change its permissions, or run as who may."
        ) from error
    except OSError as error:
        raise StoreError(
            f"No model can be loaded from {str(folder)!r}: {error.strerror}. A folder that can be "
            "read was expected. Correct the path."
        ) from error
    return bundle.read(folder) if bundle.MANIFEST in names else _from_store(store)


def _from_store(store: Store) -> Bundle:
    """Return the bundle that serves from a store; raise where there is no store at all."""
    if read_pointer(store) is None:
        # A pointer that may not be read looks absent: this raises where it is denied.
        store.exists(layout.current_model())
        if not any(any(store.list(prefix)) for prefix in _SIGNS_OF_A_STORE):
            raise StoreNotFoundError(
                f"No model can be loaded from {store.url}: neither a model nor anything else of a "
                "store is there. Expected was a store, or a folder with a bundle's manifest.json. "
                "Correct the address; without one, the packaged model is loaded."
            )
    return bundles.current_bundle(store)
