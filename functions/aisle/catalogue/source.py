"""The sources of a catalogue: a file or an address, opened as a stream of unpacked bytes.

All commands take the same sources: a path (which may begin with `~`, or be written as `file://…`),
an `http(s)://` URL, or `s3://bucket/key`; each optionally gzipped. A relative path is relative to
the current folder. Downloads are kept in the cache.
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

from aisle.catalogue.download import display_url, fetch, printable
from aisle.catalogue.objects import display_object, fetch_object, is_object, parts_of
from aisle.errors import DataError
from aisle.store.files import can_be_path

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PARTIAL_ADDRESS: Final = re.compile(r"\s*(https?|s3|ftp|file):", re.IGNORECASE)
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_BUFFER: Final = 1 << 18
_BOMB_BYTES: Final = 200 << 20
"""The size up to which any gzipped file may unpack."""
_BOMB_RATIO: Final = 200
"""The highest ratio of unpacked to packed size beyond that; product data reaches about 20."""


@contextmanager
def open_source(source: str | Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a file or an address; give a stream of its unpacked bytes, and its display name.

    Raises DataError if it cannot be opened, or fails while it is read.
    """
    path, name = local_file(source)
    try:
        with path.open("rb") as file:
            start = file.peek(4)
            if start.startswith(_GZIP):
                if file.seekable():
                    # Unpack once in advance, which is fast compared with parsing: a zip bomb or a
                    # truncated file fails before the first row is processed.
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
            f"{name} cannot be read: {reason}. Expected a complete, readable file, optionally "
            "gzipped. Check the path; if the file is cut off, download or compress it again."
        ) from error


def local_file(source: str | Path) -> tuple[Path, str]:
    """Return the local file of a source, downloaded if it is an address, and its display name.

    Raises DataError for an unsupported kind of address, and if the download fails.
    """
    match scheme_of(source):
        case "http" | "https":
            return fetch(str(source)), display_name(source)
        case "s3":
            return fetch_object(str(source)), display_name(source)
        case "" | "file":
            return local_path(source), display_name(source)
    raise DataError(
        f"{display_name(source)} cannot be read: {scheme_of(source)}:// is not supported. Expected "
        "a file, an http(s):// URL or s3://bucket/key. Download the file by other means and give "
        "its path."
    )


def display_name(source: str | Path) -> str:
    """Return the name of a source for messages, without secrets that an address may contain.

    >>> display_name("https://me:secret@shop.example/products.json?signature=abc")
    'https://shop.example/products.json'
    >>> display_name("./shop.csv")
    'shop.csv'
    """
    match scheme_of(source):
        case "" | "file":
            return printable(str(local_path(source)))
        case "s3":
            return display_object(str(source))
    return display_url(str(source))


def same_place(source: str | Path, target: str | Path) -> bool:
    """Tell whether two paths or addresses name the same file or object."""
    if _place(source) == _place(target):
        return True
    if {scheme_of(source), scheme_of(target)} <= {"", "file"}:
        try:
            return local_path(source).samefile(local_path(target))  # a hard link
        except OSError:
            return False
    return False


def scheme_of(source: str | Path) -> str:
    """Return the scheme of an address in lower case, or an empty string for a path.

    >>> scheme_of("S3://shop/products.csv"), scheme_of("products.csv")
    ('s3', '')
    """
    match = None if isinstance(source, Path) else _SCHEME.match(source)
    return match[1].lower() if match else ""


def local_path(source: str | Path) -> Path:
    """Return the path that a text names; expand `~` unless a file of that name exists.

    Raises DataError for a text that cannot be a path, and for an incomplete address.
    """
    text = str(source)
    text = unquote(text[len("file://") :]) if scheme_of(source) else text
    if not text:
        raise DataError(
            f"{str(source)!r} does not name a file. Expected a path, an http(s):// URL or "
            "s3://bucket/key. Give the path of a file."
        )
    if not can_be_path(text):
        raise DataError(
            f"{text!r} cannot be a path: it has a character that no file system allows. Expected a "
            "path. Correct it."
        )
    path = Path(text)
    partial = _PARTIAL_ADDRESS.match(text)
    if partial and not path.exists():
        # Do not repeat the rest: it may contain a password.
        raise DataError(
            f"{partial[1]}:… is neither a file nor a complete address. Expected an address that "
            f"begins with {partial[1].lower()}://, given as a string, not as a Path, which drops "
            "one of the slashes. Correct it."
        )
    if isinstance(source, str) and source.startswith("~") and not path.exists():
        try:
            return path.expanduser()
        except RuntimeError:  # no such user
            return path
    return path


def _place(source: str | Path) -> tuple[str, str] | str:
    """Return a canonical form, equal for two names of the same file or object."""
    if isinstance(source, str) and is_object(source):
        return parts_of(source)
    # Unlike `Path.resolve`, `realpath` accepts circular links.
    return (
        os.path.realpath(local_path(source)) if scheme_of(source) in {"", "file"} else str(source)
    )


@contextmanager
def _unpacked(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        yield io.BufferedReader(_Unpacked(unpacked, file, name), _BUFFER)


def _check_start(start: bytes, name: str) -> None:
    if start.startswith(_ZIP):
        raise DataError(
            f"{name} cannot be read: it is a zip archive or a spreadsheet. Expected a JSON array, "
            "JSON lines or CSV, optionally gzipped. Unpack it, or save it as CSV in UTF-8."
        )
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(
            f"{name} cannot be read: it is in UTF-16. Expected UTF-8. Save it as UTF-8."
        )


class _Unpacked(io.RawIOBase):
    """The content of a gzipped file; reading raises DataError if it is a zip bomb."""

    def __init__(self, unpacked: gzip.GzipFile, packed: BinaryIO, name: str) -> None:
        super().__init__()
        self._unpacked, self._packed, self._name = unpacked, packed, name
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
                f"{self._name} cannot be read: {packed:,} of its bytes unpack to more than "
                f"{self._bytes:,}. Expected product data, which unpacks to at most {_BOMB_RATIO} "
                "times its size. If you trust the file, unpack it yourself."
            )
        return len(data)
