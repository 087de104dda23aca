"""Where a catalogue comes from: a file or an address, as a stream of bytes, unpacked.

Every command takes the same sources: a path, which may begin with `~` or be written as `file://…`,
an `http(s)://` address, and `s3://bucket/key`; each perhaps gzipped. A path that is relative begins
at the current folder. What comes from an address is kept in the cache.
"""

import codecs
import gzip
import io
import os.path
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote

from aisle.catalogue.download import fetch, printable, shown_url
from aisle.catalogue.objects import fetch_object, is_object, parts_of, shown_object
from aisle.errors import DataError
from aisle.store.files import can_be_path

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HALF_ADDRESS: Final = re.compile(r"\s*(https?|s3|ftp|file):", re.IGNORECASE)
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_BUFFER: Final = 1 << 18
_BOMB_BYTES: Final = 200 << 20
"""What a gzipped file may unpack to, whatever its size."""
_BOMB_RATIO: Final = 200
"""How many times its own size it may unpack to beyond that; product data reaches about 20."""


@contextmanager
def open_source(source: str | Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a file or what an address answers; give its bytes, unpacked, and what to call it.

    Raises DataError where it cannot be read, then or while it is.
    """
    path, name = local_file(source)
    try:
        with path.open("rb") as file:
            start = file.peek(4)
            if start.startswith(_GZIP):
                if file.seekable():
                    # Unpacking is quick beside reading rows: a bomb, or an end that is missing, is
                    # known before the first row has been worked on.
                    with _unpacked(file, name) as stream:
                        while stream.read(_BUFFER):
                            pass
                    file.seek(0)
                with _unpacked(file, name) as stream:
                    yield stream, name
            else:
                _check_start(start, name)
                yield file, name
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(
            f"{name} cannot be read: {reason}. Expected was a readable file, whole, perhaps "
            "gzipped. Check the path, and fetch or pack the file again if it was cut off."
        ) from error


def local_file(source: str | Path) -> tuple[Path, str]:
    """Return the file of a source, fetched where it is an address, and what to call it.

    Raises DataError for an address of another kind, and where it cannot be fetched.
    """
    match scheme_of(source):
        case "http" | "https":
            return fetch(str(source)), shown(source)
        case "s3":
            return fetch_object(str(source)), shown(source)
        case "" | "file":
            return local_path(source), shown(source)
    raise DataError(
        f"{shown(source)} cannot be read: there is no reading from {scheme_of(source)}://. "
        "Expected was a file, an http(s):// address or s3://bucket/key. Fetch the file by other "
        "means and give its path."
    )


def shown(source: str | Path) -> str:
    """Return what to call a source, without what may be secret in an address.

    >>> shown("https://me:secret@shop.example/products.json?signature=abc"), shown("./shop.csv")
    ('https://shop.example/products.json', 'shop.csv')
    """
    match scheme_of(source):
        case "" | "file":
            return printable(str(local_path(source)))
        case "s3":
            return shown_object(str(source))
    return shown_url(str(source))


def same_place(source: str | Path, target: str | Path) -> bool:
    """Tell whether two of files and addresses name the same file or object, however written."""
    if _place(source) == _place(target):
        return True
    if {scheme_of(source), scheme_of(target)} <= {"", "file"}:
        try:
            return local_path(source).samefile(local_path(target))  # a hard link
        except OSError:
            return False
    return False


def scheme_of(source: str | Path) -> str:
    """Return how an address begins, in small letters; nothing for a path.

    >>> scheme_of("S3://shop/products.csv"), scheme_of("products.csv")
    ('s3', '')
    """
    begin = None if isinstance(source, Path) else _SCHEME.match(source)
    return begin[1].lower() if begin else ""


def local_path(source: str | Path) -> Path:
    """Return the path that a text names; `~` is read as a shell reads it, unless there is one.

    Raises DataError for a text that names no file, and for an address that lacks a slash.
    """
    text = str(source)
    text = unquote(text[len("file://") :]) if scheme_of(source) else text
    if not text:
        raise DataError(
            f"{str(source)!r} names no file. Expected was a path, an http(s):// address or "
            "s3://bucket/key. Give the path of a file."
        )
    if not can_be_path(text):
        raise DataError(
            f"{text!r} can be no file's name: it has a character that no file system takes. "
            "Expected was a path. Correct it."
        )
    path = Path(text)
    half = _HALF_ADDRESS.match(text)
    if half and not path.exists():
        # Without what follows, which may have a password.
        raise DataError(
            f"{half[1]}:… is neither a file nor a whole address. Expected was {half[1].lower()}:// "
            "with two slashes, in a text, not in a Path, which leaves one of them out. Correct it."
        )
    if isinstance(source, str) and source.startswith("~") and not path.exists():
        try:
            return path.expanduser()
        except RuntimeError:  # there is no such user
            return path
    return path


def _place(source: str | Path) -> tuple[str, str] | str:
    """Return what two names of the same thing have in common."""
    if isinstance(source, str) and is_object(source):
        return parts_of(source)
    # Unlike `resolve`, it takes links that lead in a circle, too.
    return (
        os.path.realpath(local_path(source)) if scheme_of(source) in {"", "file"} else str(source)
    )


@contextmanager
def _unpacked(file: BinaryIO, shown: str) -> Iterator[BinaryIO]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        yield io.BufferedReader(_Unpacked(unpacked, file, shown), _BUFFER)


def _check_start(start: bytes, shown: str) -> None:
    if start.startswith(_ZIP):
        raise DataError(
            f"{shown} cannot be read: it is a zip archive or a spreadsheet. Expected was a JSON "
            "array, JSON lines or CSV, perhaps gzipped. Unpack it, or save it as CSV in UTF-8."
        )
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(
            f"{shown} cannot be read: it is in UTF-16. Expected was UTF-8. Save it as UTF-8."
        )


class _Unpacked(io.RawIOBase):
    """The content of a gzipped file, until it turns out to be a bomb."""

    def __init__(self, unpacked: gzip.GzipFile, packed: BinaryIO, shown: str) -> None:
        super().__init__()
        self._unpacked, self._packed, self._shown = unpacked, packed, shown
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # any buffer
        data = self._unpacked.read(len(buffer))
        buffer[: len(data)] = data
        self._bytes += len(data)
        packed = max(1, self._packed.tell())
        if self._bytes > _BOMB_BYTES and self._bytes > _BOMB_RATIO * packed:
            raise DataError(
                f"{self._shown} cannot be read: {packed:,} of its bytes unpack to more than "
                f"{self._bytes:,}. Expected were products, which unpack to {_BOMB_RATIO} times "
                "their size at most. Unpack the file yourself if you trust it."
            )
        return len(data)
