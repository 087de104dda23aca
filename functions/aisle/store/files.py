"""Files: read in chunks, written atomically; every OSError becomes a StoreError."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from aisle.errors import StoreDeniedError, StoreError

OWN: Final = ".aisle-"  # prefix of this package's own file names; no key may use it
CHUNK_BYTES: Final = 1 << 20


@contextmanager
def os_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError that names the path."""
    try:
        yield
    except OSError as error:
        kind = StoreDeniedError if isinstance(error, PermissionError) else StoreError
        raise kind(
            f"Could not {action} {str(path)!r}. The system answered {error.strerror or error!s}. "
            "Expected a place that this process may use, with free space. Check the path, that its "
            "parents are folders, the permissions and the free space."
        ) from error


def can_be_path(text: str) -> bool:
    r"""Tell whether a file could have this name, whether or not it exists.

    >>> can_be_path("a/b"), can_be_path("a\0b"), can_be_path("\ud800")
    (True, False, False)
    """
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def open_file(path: Path) -> BinaryIO:
    """Open a file to read bytes from it."""
    with os_errors("open", path):
        return path.open("rb")


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Read an open file in chunks, to its end."""
    with os_errors("read", Path(file.name)):
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def written_beside(target: Path, chunks: Iterable[bytes]) -> Iterator[tuple[Path, str]]:
    """Write a temporary file beside the target; yield its path and SHA-256.

    The caller renames or links it to the target. The content is on disk before that, and the new
    name is on disk once the block has ended.
    """
    digest = hashlib.sha256()
    temporary = target.with_name(f"{OWN}{secrets.token_hex(8)}.tmp")
    with os_errors("write", target):
        _make_folder(target.parent)
        try:
            # Not tempfile: only the owner can read its files, and other users may have to.
            with temporary.open("xb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            yield temporary, digest.hexdigest()
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's added and removed names survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)
