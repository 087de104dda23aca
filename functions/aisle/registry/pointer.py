"""The pointer: the object of the store that says which model serves."""

import json
from dataclasses import asdict, dataclass

from aisle.errors import BundleError, ObjectNotFoundError, StoreError
from aisle.json_text import parse_json
from aisle.store import Store, layout


@dataclass(frozen=True, slots=True)
class Pointer:
    """The content of `models/current.json`: which version serves, and since when.

    `test_sha256` identifies the frozen test it was measured on; `published_at` is ISO 8601, UTC.
    """

    version: str
    test_sha256: str
    published_at: str


def read_pointer(store: Store) -> tuple[Pointer, str] | None:
    """Return the pointer and its ETag, or None if nothing was published yet.

    Raises BundleError if the pointer is malformed.
    """
    try:
        stored = store.get(layout.current_model())
    except ObjectNotFoundError:
        return None
    return parse_pointer(stored.data, store.url), stored.etag


def parse_pointer(data: bytes, url: str) -> Pointer:
    """Parse a pointer; raise BundleError, which names the store, if it is malformed."""
    try:
        pointer = Pointer(**parse_json(data))
        _check_texts(pointer)
        layout.bundle_prefix(pointer.version)
    except (AttributeError, TypeError, ValueError, StoreError) as error:
        raise BundleError(
            f"{layout.current_model()} in {url} is malformed: {error}. Expected a JSON object "
            "with version, test_sha256 and published_at. Train a model again: aisle train."
        ) from error
    return pointer


def write_pointer(store: Store, pointer: Pointer, *, replacing: str | None) -> None:
    """Write the pointer in place of the one with the ETag `replacing`, or of none.

    Raises PreconditionFailedError if somebody else has published since.
    """
    data = json.dumps(asdict(pointer), indent=2, sort_keys=True).encode()
    store.put(layout.current_model(), data, if_absent=replacing is None, if_match=replacing)


def _check_texts(pointer: Pointer) -> None:
    for name, value in asdict(pointer).items():
        if not isinstance(value, str):
            raise TypeError(f"{name} is not a string")
