"""A store in a folder, for one machine."""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from aisle.errors import ObjectNotFoundError, PreconditionFailedError, StoreError
from aisle.store.files import OWN, open_file, os_errors, read_chunks, sync_folder, written_beside
from aisle.store.interface import Store, StoredObject, check_key, check_prefix, fault

_LOCK_NAME: Final = f"{OWN}lock"


class FolderStore(Store):
    """Store objects as files under one folder, which the processes of one machine may share."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def folder(self) -> Path:
        """The absolute path of the folder."""
        return self._root

    @property
    def url(self) -> str:
        """The folder as a `file://` address."""
        return self._root.as_uri()

    def get(self, key: str) -> StoredObject:
        """Read a file; its ETag is the SHA-256 of its content."""
        with self._stream(key) as chunks:
            data = b"".join(chunks)
        return StoredObject(data, hashlib.sha256(data).hexdigest())

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read a file unless its content still has `etag`."""
        stored = self.get(key)
        return None if stored.etag == etag else stored

    def list(self, prefix: str) -> Iterator[str]:
        """List files; skip those whose names are not valid keys, such as this module's own."""
        check_prefix(prefix)
        self._is_file(self._root / _LOCK_NAME)  # raises if the root itself is a file
        folder = self._root / prefix.rpartition("/")[0]
        with os_errors("list", self._root):
            paths = (path.relative_to(self._root).as_posix() for path in _walk(folder, ()))
            return iter(sorted(key for key in paths if key.startswith(prefix) and not fault(key)))

    def exists(self, key: str) -> bool:
        """Tell whether there is a file."""
        return self._is_file(self._path(key))

    def delete(self, key: str) -> None:
        """Delete a file; leave its folder."""
        path = self._path(key)
        if self._is_file(path):
            with os_errors("delete", path), _locked(path.parent):
                path.unlink(missing_ok=True)
                sync_folder(path.parent)

    def _write(
        self, key: str, body: bytes | BinaryIO, *, if_absent: bool, if_match: str | None
    ) -> str:
        path = self._path(key)
        if if_match is not None:  # a write that must fail leaves no trace, not even a folder
            self._expect(key, if_match)
        chunks = [body] if isinstance(body, bytes) else read_chunks(body)
        with written_beside(path, chunks) as (temporary, etag):
            if if_absent:
                # Unlike a rename, a link fails if the name exists: only one writer can succeed.
                try:
                    os.link(temporary, path)
                except FileExistsError:
                    if path.is_dir():
                        raise
                    raise self._lost(key, actual="an object there", expected="none") from None
            else:
                # Unconditional writes take the lock too. Otherwise one could come between another
                # writer's comparison and rename, and be overwritten unnoticed.
                with _locked(path.parent):
                    if if_match is not None:
                        self._expect(key, if_match)
                    temporary.replace(path)
        return etag

    @contextmanager
    def _stream(self, key: str) -> Iterator[Iterable[bytes]]:
        path = self._path(key)
        if not self._is_file(path):
            raise self._not_found(key)
        try:
            file = open_file(path)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # deleted after the check
                raise self._not_found(key) from error
            raise
        with file:
            yield read_chunks(file)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._root / key

    def _is_file(self, path: Path) -> bool:
        # Path.is_file() would also return False if access is denied.
        with os_errors("look up", path):
            try:
                return stat.S_ISREG(path.stat().st_mode)
            except FileNotFoundError:
                return False
            except NotADirectoryError:
                if self._root.is_dir():  # a key below another key, which only S3 can have
                    return False
                raise

    def _expect(self, key: str, etag: str) -> None:
        try:
            actual = self.get(key).etag
        except ObjectNotFoundError:
            actual = "no object"
        if actual != etag:
            raise self._lost(key, actual=actual, expected=etag)

    def _lost(self, key: str, *, actual: str, expected: str) -> PreconditionFailedError:
        return PreconditionFailedError(
            f"Could not write {key!r} to {self.url}. There was {actual}. Expected {expected}. "
            "Read the object and decide again."
        )

    def _not_found(self, key: str) -> ObjectNotFoundError:
        return ObjectNotFoundError(
            f"Could not read {key!r} from {self.url}. There is no such file. Expected an object "
            "that was written before. Check the key and the address of the store."
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # The lock file stays: if it were deleted, two processes could lock two files of one name.
    with (folder / _LOCK_NAME).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _walk(folder: Path, parents: tuple[Path, ...]) -> Iterator[Path]:
    """Find the files under a folder; follow links, but not in cycles."""
    real = folder.resolve()
    if real in parents:
        return
    try:
        entries = [*folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, (*parents, real))
        elif entry.is_file():
            yield entry
