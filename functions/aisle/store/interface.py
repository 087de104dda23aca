"""What every object store does, and which keys it takes."""

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
    """Hold the content of one object and the etag of exactly that content."""

    data: bytes
    etag: str


class Store(ABC):
    """Keep bytes under keys.

    A key is relative, '/'-separated and printable, without empty parts, '.', '..' or backslashes;
    any other is a StoreError that names it. Whatever a store cannot do is a StoreError as well.
    An etag is opaque: hand back the one you were given.
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """Tell the address that `open_store` would open as this store."""

    @abstractmethod
    def get(self, key: str) -> StoredObject:
        """Read an object; raise ObjectNotFoundError where there is none."""

    @abstractmethod
    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read an object unless it still has `etag`: then return None, at little cost."""

    def put(
        self, key: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object whole or not at all, and return its new etag.

        `if_absent` writes only where there is no object yet, `if_match` only over the object with
        this etag. Raises PreconditionFailedError where the condition does not hold; the store is
        then as it was. One exception: where S3's answer to a successful write is lost, the
        client's own retry meets the object just written. The message says so; read the object
        before you give up.
        """
        if if_absent and if_match is not None:
            raise StoreError(
                f"Could not write {key!r}. Both if_absent and if_match were given. One condition "
                "at most was expected. Leave one out."
            )
        return self._write(key, data, if_absent=if_absent, if_match=if_match)

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """List in order the keys that begin with `prefix` (a text, not a folder; may be empty)."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Tell whether there is an object; raise StoreError where the caller may not know."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete an object; do nothing where there is none."""

    def upload(self, key: str, path: Path, *, if_absent: bool = False) -> str:
        """Write a file's content (5 GB at most), as `put` does, without reading it whole."""
        with open_file(path) as file:
            return self._write(key, file, if_absent=if_absent, if_match=None)

    def download(self, key: str, path: Path) -> None:
        """Write an object to a file, whole or not at all; make its folder where needed."""
        with self._stream(key) as chunks, written_beside(path, chunks) as (temporary, _):
            temporary.replace(path)

    @abstractmethod
    def _write(
        self, key: str, body: bytes | BinaryIO, *, if_absent: bool, if_match: str | None
    ) -> str:
        """Write an object under one condition at most, as `put` promises."""

    @abstractmethod
    def _stream(self, key: str) -> AbstractContextManager[Iterable[bytes]]:
        """Read an object in chunks; raise ObjectNotFoundError before the first one."""


def fault(key: str) -> str | None:
    """Tell what a key should have been, or None where it is good."""
    parts = key.split("/")
    if not key.isprintable() or "\\" in key:  # no NUL, line end or lone surrogate either
        return "printable characters and no backslash"
    if not all(parts) or {".", ".."} & set(parts):
        return "a relative path without empty parts, '.' or '..'"
    if any(part.startswith(OWN) for part in parts):
        return f"no part that begins with {OWN!r}"
    if len(key.encode()) > _KEY_BYTES or any(len(part.encode()) > _PART_BYTES for part in parts):
        return f"{_KEY_BYTES} bytes at most, {_PART_BYTES} in one part"
    return None


def check_key(key: str) -> None:
    """Raise StoreError for a key that is malformed or could lead out of the store."""
    if expected := fault(key):
        raise StoreError(
            f"Could not use an object key. The key given was {key!r}. Expected was {expected}. "
            "Build keys with aisle.store.layout."
        )


def check_prefix(prefix: str) -> None:
    """Raise StoreError for a prefix with which no key could begin."""
    if prefix:
        check_key(prefix.removesuffix("/"))
