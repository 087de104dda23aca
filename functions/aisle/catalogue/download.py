"""Files fetched from http(s) addresses, kept in a cache, and resumed where they were cut off.

`Download` does what is the same for a file from elsewhere: see `objects` for S3.
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
"""How often a download may break off without a byte more than the time before."""
PAUSE_SECONDS: Final = 0.5
"""How long a download waits before it asks again."""
_NOT_MODIFIED: Final = 304
_PARTIAL: Final = 206
_RANGE_WRONG: Final = 416
_REDIRECTS: Final = range(300, 400)
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What a server said of the file, so that two halves of one download are of one file."""

    etag: str | None
    modified: str | None
    size: int | None

    def differs(self, other: "FileVersion") -> bool:
        """Tell whether anything that both know is another."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(mine != its for mine, its in pairs if mine is not None and its is not None)

    def conditions(self) -> dict[str, str]:
        """Ask for the rest only if the file is still the same; a weak tag cannot promise that."""
        if self.etag and not self.etag.startswith("W/"):
            return {"If-Range": self.etag}
        return {"If-Range": self.modified} if self.modified else {}


def shown_url(url: str) -> str:
    """Return an address without what may be secret in it: a password, a signature.

    Of an address that cannot be taken apart, only the scheme is shown where there may be a secret.

    >>> shown_url("https://me:secret@shop.example/products.json?signature=abc")
    'https://shop.example/products.json'
    >>> shown_url("https://me:secret@[shop.example/products.json")
    'https://…'
    """
    try:
        parts = urlsplit(url)
        # A slash in a password ends the host too early: what is left is then no port.
        _ = parts.port
    except ValueError:
        plain = not {"@", "?", "#"} & set(url)
        return printable(url if plain else f"{url.partition(':')[0]}://…")
    host = parts.netloc.rpartition("@")[2]
    return printable(urlunsplit((parts.scheme, host, parts.path, "", "")))


def printable(text: str) -> str:
    r"""Return a text that does nothing to a terminal.

    >>> printable("a\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text)


def file_name(url: str) -> str:
    """Return the last part of an address's path.

    >>> file_name("https://shop.example/all%20products.csv?page=1")
    'all products.csv'
    """
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or "catalogue"


def fetch(url: str, *, cache: Path = CACHE, again: bool = True, advice: str = "") -> Path:
    """Return the file of an address, fetched to the cache where it is not there yet.

    The cache keeps its SHA-256 beside it, as `sha256sum` writes it. With `again`, the server is
    asked whether the file has changed since; without, what was fetched once stays. A download that
    breaks off goes on where it stopped, now or the next time, if the server can do that and its
    file is still the same. Raises DataError, which ends with `advice`, where it cannot be fetched.
    """
    try:
        with cached(url, file_name(url), cache) as target:
            return _WebDownload(quote(url, safe=_URL_MARKS), target).run(again=again)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DataError(
            f"{shown_url(url)} could not be fetched: {_reason(error)}. Expected was an "
            "answer with the whole file; what has arrived of it is kept. Check the address and "
            f"the connection and try again, {advice or 'or give a file instead'}."
        ) from error


def _reason(error: Exception) -> str:
    """Say why nothing came, without what a server or an address may hide in an error's text."""
    if isinstance(error, HTTPError):
        # Its own text holds the whole address that a redirect leads to, or what the server likes.
        if error.code in _REDIRECTS:
            return f"the server answered {error.code}, a redirect that cannot be followed"
        return f"the server answered {error.code} {responses.get(error.code, '')}".rstrip()
    if isinstance(error, ValueError | http.client.InvalidURL):
        return "the address, or one that it redirects to, is malformed"
    reason = error.reason if isinstance(error, URLError) else error
    return printable(str(reason))[:_LONGEST_REASON].rstrip(".")


class FileChangedError(OSError):
    """What had arrived is no part of the server's file."""

    def __str__(self) -> str:
        return "the server's file changed while it was fetched"


@contextmanager
def cached(address: str, name: str, cache: Path) -> Iterator[Path]:
    """Give the file of the cache for an address, to nobody else until the block ends."""
    target = (
        cache
        / hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()[:12]
        / _safe(name)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two processes must not write the same part.
    with target.with_name(target.name + ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield target


class Download(ABC):
    """A file on its way to the cache: the whole, its hash, what came of it so far."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._sum = target.with_name(target.name + ".sha256")
        self._version = target.with_name(target.name + ".version.json")
        self._part = target.with_name(target.name + ".part")
        self._part_version = target.with_name(target.name + ".part.version.json")

    @abstractmethod
    def receive(self, start: int, version: FileVersion | None, whole: FileVersion | None) -> bool:
        """Fetch what is missing, by `keep`; return whether there was anything to fetch.

        Of `version`, `start` bytes have arrived; `whole` was fetched before. Raises
        FileChangedError where what has arrived is no part of the file any more.
        """

    def run(self, *, again: bool = True) -> Path:
        """Return the file, whole; with `again`, ask whether it has changed since."""
        known = self._is_whole()
        if known and not again:
            return self._target
        attempts, restarted, done = 0, False, False
        while not done:
            before = self._arrived()
            try:
                if self._receive(known=known):
                    self._finish()
                done = True
            except (HTTPError, ObjectNotFoundError):  # an answer, and it will be the same again
                raise
            except FileChangedError:
                self._part.unlink(missing_ok=True)
                if restarted:
                    raise
                restarted = True
            except (OSError, http.client.HTTPException, StoreError):
                # A server that cannot be reached at all is not asked again and again.
                attempts = 0 if self._arrived() > before else attempts + 1
                if self._arrived() == 0 or attempts == ATTEMPTS:
                    raise
                time.sleep(PAUSE_SECONDS)
        return self._target

    def _receive(self, *, known: bool) -> bool:
        start, version = self._arrived(), _read_version(self._part_version)
        whole = _read_version(self._version) if known else None
        return self.receive(start if version else 0, version, whole)

    def keep(self, blocks: Iterable[bytes], start: int, version: FileVersion) -> None:
        """Write what arrives behind the `start` bytes that have arrived of this version."""
        if not start:
            # Emptied before its version is written: never old bytes under a new version.
            self._part.write_bytes(b"")
            self._part_version.write_text(json.dumps(asdict(version)))
        with (
            self._part.open("ab") as out,
            _bar(self._target.name, start, version.size) as advance,
        ):
            for block in blocks:
                out.write(block)
                advance(len(block))
        if version.size is not None and self._arrived() != version.size:
            raise OSError(
                f"the connection ended after {self._arrived():,} of {version.size:,} bytes"
            )

    def _finish(self) -> None:
        digest = _sha256(self._part)
        self._sum.unlink(missing_ok=True)  # without it, a file is not taken for whole
        self._part.replace(self._target)
        self._part_version.replace(self._version)
        self._sum.write_text(f"{digest}  {self._target.name}\n")

    def _is_whole(self) -> bool:
        try:
            return self._sum.read_text().split()[0] == _sha256(self._target)
        except (FileNotFoundError, IndexError):
            return False

    def _arrived(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0


class _WebDownload(Download):
    """A file from an http(s) address."""

    def __init__(self, url: str, target: Path) -> None:
        super().__init__(target)
        self._url = url

    def receive(self, start: int, version: FileVersion | None, whole: FileVersion | None) -> bool:
        """Ask for the rest, or for the whole unless it has not changed."""
        request = _request(self._url)
        if start and version:
            request.add_header("Range", f"bytes={start}-")
            for name, value in version.conditions().items():
                request.add_header(name, value)
        elif whole:
            if whole.etag:
                request.add_header("If-None-Match", whole.etag)
            if whole.modified:
                request.add_header("If-Modified-Since", whole.modified)
        try:
            with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310  # as above
                self._store(response, start, version)
        except HTTPError as error:
            error.close()  # it is an answer, too
            if error.code == _NOT_MODIFIED:
                return False
            if error.code == _RANGE_WRONG and start:
                if version and version.size == start:  # it was cut off after its last byte
                    return True
                raise FileChangedError from error
            raise
        return True

    def _store(self, response: Any, start: int, version: FileVersion | None) -> None:  # noqa: ANN401  # urlopen is untyped
        length = response.headers.get("Content-Length")
        size = int(length) if length and length.isdigit() else None
        etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        if response.status == _PARTIAL:
            sent = response.headers.get("Content-Range", "").removeprefix("bytes ")
            total = sent.rpartition("/")[2]
            size = int(total) if total.isdigit() else None
            found = FileVersion(etag, modified, size)
            first = sent.partition("-")[0]
            if version is None or first != str(start) or found.differs(version):
                raise FileChangedError
        else:
            start, found = 0, FileVersion(etag, modified, size)
        self.keep(iter(lambda: response.read(_CHUNK), b""), start, found)


def _request(url: str) -> Request:
    """Ask for an address; a name and password in it go into a header, and no further than it."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    request = Request(  # noqa: S310  # checked by who calls
        urlunsplit(parts._replace(netloc=host)), headers={"Accept-Encoding": "identity"}
    )
    if login:
        coded = base64.b64encode(unquote(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {coded}")
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
    kept = "".join(one if one.isalnum() or one in "._-" else "-" for one in name)
    return kept.lstrip(".")[-80:] or "catalogue"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
