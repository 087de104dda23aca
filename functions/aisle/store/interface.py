"""The interface of object stores, and which keys are valid."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from aisle.errors import StoreError
from aisle.store.files import OWN, open_file, written_beside

_KEY_BYTES: Final = 1024  # S3's limit for a key
_PART_BYTES: Final = 255  # a file system's limit for a name


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The content of one object and the ETag of exactly that content."""

    data: bytes
    etag: str


class Store(ABC):
    """Store bytes under keys.

    A key is relative, '/'-separated and printable, without empty parts, '.', '..' or backslashes;
    any other key raises a StoreError that names it. Every failure of a store is a StoreError.
    ETags are opaque: pass them back unchanged.
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """The address that `open_store` opens as this store."""

    @abstractmethod
    def get(self, key: str) -> StoredObject:
        """Read an object; raise ObjectNotFoundError if there is none."""

    @abstractmethod
    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read an object, or return None, at little cost, if it still has `etag`."""

    def put(
        self, key: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object atomically, and return its new ETag.

        `if_absent` writes only if there is no object yet, `if_match` only over the object with this
        ETag. Raises PreconditionFailedError if the condition does not hold; the store is then
        unchanged. One exception: if S3's answer to a successful write is lost, the client's own
        retry meets the object just written. The message says so; read the object before you give
        up.
        """
        if if_absent and if_match is not None:
            raise StoreError(
                f"Could not write {key!r}. Both if_absent and if_match were given. Expected at "
                "most one condition. Leave one out."
            )
        return self._write(key, data, if_absent=if_absent, if_match=if_match)

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """List, in order, the keys that begin with `prefix`, which need not end in a slash."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Tell whether there is an object; raise StoreError if the caller may not know."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete an object; do nothing if there is none."""

    def upload(self, key: str, path: Path, *, if_absent: bool = False) -> str:
        """Write a file's content (5 GB at most), as `put` does, without loading it into memory."""
        with open_file(path) as file:
            return self._write(key, file, if_absent=if_absent, if_match=None)

    def download(self, key: str, path: Path) -> None:
        """Write an object to a file, atomically; create its folder if needed."""
        with self._stream(key) as chunks, written_beside(path, chunks) as (temporary, _):
            temporary.replace(path)

    @abstractmethod
    def _write(
        self, key: str, body: bytes | BinaryIO, *, if_absent: bool, if_match: str | None
    ) -> str:
        """Write an object under at most one condition, as `put` specifies."""

    @abstractmethod
    def _stream(self, key: str) -> AbstractContextManager[Iterable[bytes]]:
        """Read an object in chunks; raise ObjectNotFoundError before the first chunk."""


def fault(key: str) -> str | None:
    """Return what a key should have been, or None if it is valid."""
    parts = key.split("/")
    if not key.isprintable() or "\\" in key:  # also excludes NUL, line ends and lone surrogates
        return "printable characters and no backslash"
    if not all(parts) or {".", ".."} & set(parts):
        return "a relative path without empty parts, '.' or '..'"
    if any(part.startswith(OWN) for part in parts):
        return f"no part that begins with {OWN!r}"
    if len(key.encode()) > _KEY_BYTES or any(len(part.encode()) > _PART_BYTES for part in parts):
        return f"at most {_KEY_BYTES} bytes, and {_PART_BYTES} in each part"
    return None


def check_key(key: str) -> None:
    """Raise StoreError for a key that is malformed or could lead out of the store."""
    if expected := fault(key):
        raise StoreError(
            f"Could not use an object key. The key given was {key!r}. Expected {expected}. Build "
            "keys with aisle.store.layout."
        )


def check_prefix(prefix: str) -> None:
    """Raise StoreError for a prefix that no valid key can begin with."""
    if prefix:
        check_key(prefix.removesuffix("/"))
