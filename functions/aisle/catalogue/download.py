"""Resumable downloads from http(s) URLs, kept in a cache.

`Download` is the part shared with downloads from S3 (`objects`).
"""

import base64
import fcntl
import hashlib
import http.client
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from http.client import responses
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from aisle.errors import DataError, ObjectNotFoundError, StoreError

CACHE: Final = Path(".aisle") / "cache"
_URL_MARKS: Final = "%/:=&?~#+!$,;'@()*[]"
_TIMEOUT: Final = 30
_CHUNK: Final = 1 << 18
ATTEMPTS: Final = 4
"""How many times in a row a download may fail without receiving a byte."""
PAUSE_SECONDS: Final = 0.5
"""How long a download waits before it retries."""
_NOT_MODIFIED: Final = 304
_PARTIAL: Final = 206
_RANGE_WRONG: Final = 416
_REDIRECTS: Final = range(300, 400)
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file's version as its server describes it, so that a download never mixes two versions."""

    etag: str | None
    modified: str | None
    size: int | None

    def differs(self, other: "FileVersion") -> bool:
        """Tell whether the versions differ in a value that both have."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(mine != theirs for mine, theirs in pairs if None not in (mine, theirs))

    def conditions(self) -> dict[str, str]:
        """Return headers that ask for the rest only if the file is unchanged.

        A weak ETag is not used: it does not guarantee identical bytes.
        """
        if self.etag and not self.etag.startswith("W/"):
            return {"If-Range": self.etag}
        return {"If-Range": self.modified} if self.modified else {}


def display_url(url: str) -> str:
    """Return a URL for messages, without possible secrets: a login, a signature.

    If a URL cannot be parsed and may contain a secret, only its scheme is returned.

    >>> display_url("https://me:secret@shop.example/products.json?signature=abc")
    'https://shop.example/products.json'
    >>> display_url("https://me:secret@[shop.example/products.json")
    'https://…'
    """
    try:
        parts = urlsplit(url)
        # A slash in a password ends the host too early; the port is then invalid.
        _ = parts.port
    except ValueError:
        plain = not {"@", "?", "#"} & set(url)
        return printable(url if plain else f"{url.partition(':')[0]}://…")
    host = parts.netloc.rpartition("@")[2]
    return printable(urlunsplit((parts.scheme, host, parts.path, "", "")))


def printable(text: str) -> str:
    r"""Replace control characters, so that a text cannot affect the terminal.

    >>> printable("a\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def file_name(url: str) -> str:
    """Return the last part of a URL's path.

    >>> file_name("https://shop.example/all%20products.csv?page=1")
    'all products.csv'
    """
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or "catalogue"


def fetch(url: str, *, cache: Path = CACHE, again: bool = True, advice: str = "") -> Path:
    """Return the local file of a URL, downloaded to the cache if needed.

    The cache keeps each file's SHA-256 beside it, in the format of `sha256sum`. With `again`, the
    server is asked whether the file has changed; without it, a cached file is used as it is. An
    interrupted download resumes, now or next time, if the server supports that and the file is
    unchanged. Raises DataError, with `advice` on what to do, if the download fails.
    """
    try:
        with cached(url, file_name(url), cache) as target:
            return _WebDownload(quote(url, safe=_URL_MARKS), target).run(again=again)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DataError(
            f"{display_url(url)} could not be fetched: {_reason(error)}. Expected a response with "
            "the whole file; the part received so far is kept. Check the URL and the connection "
            f"and try again, {advice or 'or give a file instead'}."
        ) from error


def _reason(error: Exception) -> str:
    """Return why a download failed, without repeating text that the server or URL controls."""
    if isinstance(error, HTTPError):
        # The error's own text may contain the full redirect URL, or any text from the server.
        if error.code in _REDIRECTS:
            return f"the server answered {error.code}, a redirect that cannot be followed"
        return f"the server answered {error.code} {responses.get(error.code, '')}".rstrip()
    if isinstance(error, ValueError | http.client.InvalidURL):
        return "the URL, or one that it redirects to, is malformed"
    reason = error.reason if isinstance(error, URLError) else error
    return printable(str(reason))[:_LONGEST_REASON].rstrip(".")


class FileChangedError(OSError):
    """The part received before does not belong to the server's current file."""

    def __str__(self) -> str:
        return "the server's file changed during the download"


@contextmanager
def cached(address: str, name: str, cache: Path) -> Iterator[Path]:
    """Give the cache file of an address, locked against other processes during the block."""
    target = (
        cache
        / hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()[:12]
        / _safe(name)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two processes must not write the same partial file.
    with target.with_name(target.name + ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield target


class Download(ABC):
    """A download to the cache: the complete file, its hash, and the part received so far."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._sum = target.with_name(target.name + ".sha256")
        self._version = target.with_name(target.name + ".version.json")
        self._part = target.with_name(target.name + ".part")
        self._part_version = target.with_name(target.name + ".part.version.json")

    @abstractmethod
    def receive(
        self, start: int, version: FileVersion | None, complete: FileVersion | None
    ) -> bool:
        """Fetch the missing bytes and pass them to `keep`; return False if the cache is current.

        `start` bytes of `version` were received before; `complete` is the version in the cache.
        Raises FileChangedError if the received part is no longer part of the file.
        """

    def run(self, *, again: bool = True) -> Path:
        """Return the complete file; with `again`, ask the server whether it has changed."""
        is_cached = self._is_complete()
        if is_cached and not again:
            return self._target
        attempts, restarted, done = 0, False, False
        while not done:
            before = self._part_size()
            try:
                if self._receive(is_cached=is_cached):
                    self._finish()
                done = True
            except (HTTPError, ObjectNotFoundError):  # a definite answer: do not retry
                raise
            except FileChangedError:
                self._part.unlink(missing_ok=True)
                if restarted:
                    raise
                restarted = True
            except (OSError, http.client.HTTPException, StoreError):
                # Do not retry a server that has sent nothing at all.
                attempts = 0 if self._part_size() > before else attempts + 1
                if self._part_size() == 0 or attempts == ATTEMPTS:
                    raise
                time.sleep(PAUSE_SECONDS)
        return self._target

    def _receive(self, *, is_cached: bool) -> bool:
        start, version = self._part_size(), _read_version(self._part_version)
        complete = _read_version(self._version) if is_cached else None
        return self.receive(start if version else 0, version, complete)

    def keep(self, blocks: Iterable[bytes], start: int, version: FileVersion) -> None:
        """Append received blocks to the partial file, which has `start` bytes of this version."""
        if not start:
            # Truncate before writing the version, so that old bytes never get a new version.
            self._part.write_bytes(b"")
            self._part_version.write_text(json.dumps(asdict(version)))
        with (
            self._part.open("ab") as out,
            _bar(self._target.name, start, version.size) as advance,
        ):
            for block in blocks:
                out.write(block)
                advance(len(block))
        if version.size is not None and self._part_size() != version.size:
            raise OSError(
                f"the connection ended after {self._part_size():,} of {version.size:,} bytes"
            )

    def _finish(self) -> None:
        digest = _sha256(self._part)
        self._sum.unlink(missing_ok=True)  # a file without its hash does not count as complete
        self._part.replace(self._target)
        self._part_version.replace(self._version)
        self._sum.write_text(f"{digest}  {self._target.name}\n")

    def _is_complete(self) -> bool:
        try:
            return self._sum.read_text().split()[0] == _sha256(self._target)
        except (FileNotFoundError, IndexError):
            return False

    def _part_size(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0


class _WebDownload(Download):
    """The download of a file from an http(s) URL."""

    def __init__(self, url: str, target: Path) -> None:
        super().__init__(target)
        self._url = url

    def receive(
        self, start: int, version: FileVersion | None, complete: FileVersion | None
    ) -> bool:
        """Request the missing rest, or the whole file unless it is unchanged."""
        request = _request(self._url)
        if start and version:
            request.add_header("Range", f"bytes={start}-")
            for name, value in version.conditions().items():
                request.add_header(name, value)
        elif complete:
            if complete.etag:
                request.add_header("If-None-Match", complete.etag)
            if complete.modified:
                request.add_header("If-Modified-Since", complete.modified)
        try:
            with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310  # as above
                self._store(response, start, version)
        except HTTPError as error:
            error.close()  # the error is also a response
            if error.code == _NOT_MODIFIED:
                return False
            if error.code == _RANGE_WRONG and start:
                if version and version.size == start:  # interrupted after the last byte
                    return True
                raise FileChangedError from error
            raise
        return True

    def _store(self, response: Any, start: int, version: FileVersion | None) -> None:  # noqa: ANN401  # urlopen is untyped
        length = response.headers.get("Content-Length")
        size = int(length) if length and length.isdigit() else None
        etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        if response.status == _PARTIAL:
            content_range = response.headers.get("Content-Range", "").removeprefix("bytes ")
            total = content_range.rpartition("/")[2]
            size = int(total) if total.isdigit() else None
            received = FileVersion(etag, modified, size)
            first = content_range.partition("-")[0]
            if version is None or first != str(start) or received.differs(version):
                raise FileChangedError
        else:
            start, received = 0, FileVersion(etag, modified, size)
        self.keep(iter(lambda: response.read(_CHUNK), b""), start, received)


def _request(url: str) -> Request:
    """Return the request for a URL; send its login in a header that redirects do not forward."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    request = Request(  # noqa: S310  # the caller has checked the scheme
        urlunsplit(parts._replace(netloc=host)), headers={"Accept-Encoding": "identity"}
    )
    if login:
        credentials = base64.b64encode(unquote(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {credentials}")
    return request


@contextmanager
def _bar(name: str, start: int, size: int | None) -> Iterator[Any]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(f"fetching {name}", total=size, completed=start)
        yield lambda count: progress.advance(task, count)


def _read_version(path: Path) -> FileVersion | None:
    try:
        return FileVersion(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _safe(name: str) -> str:
    safe = "".join(char if char.isalnum() or char in "._-" else "-" for char in name)
    return safe.lstrip(".")[-80:] or "catalogue"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
