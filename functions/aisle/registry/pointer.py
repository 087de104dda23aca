"""The pointer: which model serves, the one object of the store that changes."""

import json
from dataclasses import asdict, dataclass

from aisle.errors import BundleError, ObjectNotFoundError, StoreError
from aisle.json_text import parse_json
from aisle.store import Store, layout


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
        found = store.get(layout.current_model())
    except ObjectNotFoundError:
        return None
    return parse_pointer(found.data, store.url), found.etag


def parse_pointer(data: bytes, url: str) -> Pointer:
    """Read a pointer's content; raise BundleError, which names its store, where it is malformed."""
    try:
        pointer = Pointer(**parse_json(data))
        _check_texts(pointer)
        layout.bundle_prefix(pointer.version)
    except (AttributeError, TypeError, ValueError, StoreError) as error:
        raise BundleError(
            f"{layout.current_model()} in {url} is malformed: {error}. Expected a JSON object "
            "with version, test_sha256 and published_at. Publish a model again."
        ) from error
    return pointer


def write_pointer(store: Store, pointer: Pointer, *, replacing: str | None) -> None:
    """Make a version the one that serves; `replacing` is the ETag of the pointer it replaces.

    Raises PreconditionFailedError where somebody else has published since.
    """
    data = json.dumps(asdict(pointer), indent=2, sort_keys=True).encode()
    store.put(layout.current_model(), data, if_absent=replacing is None, if_match=replacing)


def _check_texts(pointer: Pointer) -> None:
    for name, value in asdict(pointer).items():
        if not isinstance(value, str):
            raise TypeError(f"{name} is no text")
