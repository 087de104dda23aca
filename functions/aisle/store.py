"""The object store: a folder or S3, behind one interface and with one meaning.

Both write atomically, both know conditional writes ("only if absent", "only if still the version
I read"), and both take the same keys. An etag is opaque: hand back the one you were given.
"""

import fcntl
import hashlib
import os
import random
import secrets
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import unquote

from aisle.errors import ObjectNotFoundError, PreconditionFailedError, StoreError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

_CHUNK_BYTES: Final = 1 << 20
_KEY_BYTES: Final = 1024  # S3's limit for a key
_PART_BYTES: Final = 255  # a file system's limit for a name
_OWN: Final = ".aisle-"  # begins the names of this module's own files; no key may use it
_LOCK_NAME: Final = f"{_OWN}lock"
_WRITE_ATTEMPTS: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.05
_CONFLICTS: Final = frozenset({"ConditionalRequestConflict", "OperationAborted"})
# Other codes come with 403 too (a wrong secret, a wrong clock): those say nothing about the key.
_DENIALS: Final = frozenset({"AccessDenied", "Forbidden", "403"})


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Hold the content of one object and the etag of exactly that content."""

    data: bytes
    etag: str


class Store(ABC):
    """Keep bytes under keys.

    A key is relative, '/'-separated and printable, without empty parts, '.', '..' or backslashes;
    any other is a StoreError that names it. Whatever a store cannot do is a StoreError as well.
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

    @abstractmethod
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

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """List in order the keys that begin with `prefix` (a text, not a folder; may be empty)."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Tell whether there is an object; raise StoreError where the caller may not know."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete an object; do nothing where there is none."""

    @abstractmethod
    def upload(self, key: str, path: Path, *, if_absent: bool = False) -> str:
        """Write a file's content (5 GB at most), as `put` does, without reading it whole."""

    def download(self, key: str, path: Path) -> None:
        """Write an object to a file, whole or not at all; make its folder where needed."""
        with self._stream(key) as chunks:
            _write_durably(path, chunks, place=os.replace)

    @abstractmethod
    def _stream(self, key: str) -> AbstractContextManager[Iterable[bytes]]:
        """Read an object in chunks; raise ObjectNotFoundError before the first one."""


def open_store(url: str) -> Store:
    """Open the store at an address.

    `file:///absolute`, `file://relative` or a plain path is a folder, made by the first write;
    `s3://bucket` or `s3://bucket/prefix` is S3. Raises StoreError for an address of another kind,
    and where S3 is asked for but boto3 is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator and url:
        return FolderStore(Path(url))
    if scheme.lower() == "file" and rest:
        return FolderStore(Path(unquote(rest)))
    bucket, _, prefix = rest.partition("/")
    if scheme.lower() == "s3" and bucket:
        return S3Store(bucket, prefix.removesuffix("/"))
    message = (
        f"Could not open an object store. The address given was {url!r}. Expected was file://, "
        "a plain path or s3://bucket/prefix. Correct the address."
    )
    raise StoreError(message)


class FolderStore(Store):
    """Keep objects as files under one folder, which one machine's processes may share."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def url(self) -> str:
        """Tell the folder as a `file://` address."""
        return self._root.as_uri()

    def get(self, key: str) -> StoredObject:
        """Read a file; its etag is the sha256 of its content."""
        with self._stream(key) as chunks:
            data = b"".join(chunks)
        return StoredObject(data, hashlib.sha256(data).hexdigest())

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read a file unless its content still has `etag`."""
        found = self.get(key)
        return None if found.etag == etag else found

    def put(
        self, key: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write a file through a temporary one that takes its place."""
        return self._write(key, [data], if_absent=if_absent, if_match=if_match)

    def upload(self, key: str, path: Path, *, if_absent: bool = False) -> str:
        """Copy a file into the folder."""
        with _open(path) as file:
            return self._write(key, _chunks(file, path), if_absent=if_absent, if_match=None)

    def list(self, prefix: str) -> Iterator[str]:
        """List files; skip those that no key could name, this module's own among them."""
        _check_prefix(prefix)
        self._is_file(self._root / _LOCK_NAME)  # raises where the root itself is a file
        folder = self._root / prefix.rpartition("/")[0]
        with _os_errors("list", self._root):
            paths = (path.relative_to(self._root).as_posix() for path in _walk(folder, ()))
            return iter(sorted(key for key in paths if key.startswith(prefix) and not _fault(key)))

    def exists(self, key: str) -> bool:
        """Tell whether there is a file."""
        return self._is_file(self._path(key))

    def delete(self, key: str) -> None:
        """Delete a file; leave its folder."""
        path = self._path(key)
        if self._is_file(path):
            with _os_errors("delete", path), _locked(path.parent):
                path.unlink(missing_ok=True)
                _sync_folder(path.parent)

    @contextmanager
    def _stream(self, key: str) -> Iterator[Iterable[bytes]]:
        path = self._path(key)
        if not self._is_file(path):
            raise self._not_found(key)
        try:
            file = _open(path)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # deleted since we looked
                raise self._not_found(key) from error
            raise
        with file:
            yield _chunks(file, path)

    def _write(
        self, key: str, chunks: Iterable[bytes], *, if_absent: bool, if_match: str | None
    ) -> str:
        _check_conditions(key, if_absent=if_absent, if_match=if_match)
        path = self._path(key)
        if if_match is not None:  # a lost cause leaves no trace, not even an empty folder
            self._expect(key, if_match)

        def place(temporary: Path, target: Path) -> None:
            if if_absent:
                # A link, unlike a rename, fails where the name is taken: only one writer can win.
                try:
                    os.link(temporary, target)
                except FileExistsError:
                    if target.is_dir():
                        raise
                    raise _lost(key, self.url, found="an object there", given="none") from None
                return
            # Unconditional writes take the lock too, or one could slip in between another
            # writer's comparison and its rename, and be overwritten without anyone knowing.
            with _locked(target.parent):
                if if_match is not None:
                    self._expect(key, if_match)
                temporary.replace(target)

        return _write_durably(path, chunks, place=place)

    def _expect(self, key: str, etag: str) -> None:
        try:
            found = self.get(key).etag
        except ObjectNotFoundError:
            found = "no object"
        if found != etag:
            raise _lost(key, self.url, found=found, given=etag)

    def _path(self, key: str) -> Path:
        _check_key(key)
        return self._root / key

    def _is_file(self, path: Path) -> bool:
        # Path.is_file() would also say no where the answer is "you may not look".
        with _os_errors("look up", path):
            try:
                return stat.S_ISREG(path.stat().st_mode)
            except FileNotFoundError:
                return False
            except NotADirectoryError:
                if self._root.is_dir():  # a key below another key: S3 would have both
                    return False
                raise

    def _not_found(self, key: str) -> ObjectNotFoundError:
        return ObjectNotFoundError(
            f"Could not read {key!r} from {self.url}. There is no such file. An object that was "
            "put before was expected. Check the key and the address of the store."
        )


class S3Store(Store):
    """Keep objects in an S3 bucket, under a prefix."""

    def __init__(self, bucket: str, prefix: str = "", *, client: "S3Client | None" = None) -> None:
        if prefix:
            _check_key(prefix)
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client or _s3_client()

    @property
    def url(self) -> str:
        """Tell bucket and prefix as an `s3://` address."""
        return f"s3://{self._bucket}/{self._prefix}".removesuffix("/")

    def get(self, key: str) -> StoredObject:
        """Read an object in one request."""
        name = self._name(key)
        with self._calling("read", name):
            response = self._client.get_object(Bucket=self._bucket, Key=name)
            with closing(response["Body"]) as body:
                return StoredObject(body.read(), response["ETag"])

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read an object with If-None-Match; S3 answers an empty 304 where nothing changed."""
        name = self._name(key)
        with self._calling("read", name):
            try:
                response = self._client.get_object(Bucket=self._bucket, Key=name, IfNoneMatch=etag)
            except self._client.exceptions.ClientError as error:
                if _answer(error)[0] == HTTPStatus.NOT_MODIFIED:
                    return None
                raise
            with closing(response["Body"]) as body:
                return StoredObject(body.read(), response["ETag"])

    def put(
        self, key: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object in one request, again where S3 saw two conditional writes collide."""
        _check_conditions(key, if_absent=if_absent, if_match=if_match)
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._name(key),
            "Body": data,
        }
        if if_absent:
            request["IfNoneMatch"] = "*"
        if if_match is not None:
            request["IfMatch"] = if_match
        return self._send(request)

    def upload(self, key: str, path: Path, *, if_absent: bool = False) -> str:
        """Send a file in one request."""
        name = self._name(key)
        with _open(path) as file:
            request: PutObjectRequestTypeDef = {"Bucket": self._bucket, "Key": name, "Body": file}
            if if_absent:
                request["IfNoneMatch"] = "*"
            return self._send(request)

    def list(self, prefix: str) -> Iterator[str]:
        """List keys page by page; skip those that are no keys, such as a console's folder marks."""
        _check_prefix(prefix)
        return self._list(self._prefix + prefix)

    def exists(self, key: str) -> bool:
        """Ask for an object's head; S3 answers the same where the bucket itself is missing."""
        name = self._name(key)
        with self._calling("look up", name):
            try:
                self._client.head_object(Bucket=self._bucket, Key=name)
            except self._client.exceptions.ClientError as error:
                if _answer(error)[0] == HTTPStatus.NOT_FOUND:
                    return False
                raise
        return True

    def delete(self, key: str) -> None:
        """Delete an object in one request."""
        name = self._name(key)
        with self._calling("delete", name):
            self._client.delete_object(Bucket=self._bucket, Key=name)

    @contextmanager
    def _stream(self, key: str) -> Iterator[Iterable[bytes]]:
        name = self._name(key)
        with self._calling("read", name):
            response = self._client.get_object(Bucket=self._bucket, Key=name)

        def chunks() -> Iterator[bytes]:
            with self._calling("read", name):
                yield from response["Body"].iter_chunks(_CHUNK_BYTES)

        with closing(response["Body"]):
            yield chunks()

    def _list(self, prefix: str) -> Iterator[str]:
        pages = iter(
            self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
        )
        while True:
            with self._calling("list", prefix):
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", ()):
                key = entry["Key"].removeprefix(self._prefix)
                if not _fault(key):
                    yield key

    def _send(self, request: "PutObjectRequestTypeDef") -> str:
        attempt = 0
        while True:
            try:
                with self._calling("write", request["Key"]):
                    return self._client.put_object(**request)["ETag"]
            except _ConflictError:
                attempt += 1
                if attempt == _WRITE_ATTEMPTS:
                    raise
            body = request.get("Body")
            if body is not None and hasattr(body, "seek"):
                body.seek(0)
            longest = _FIRST_PAUSE_SECONDS * 2**attempt
            time.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads, not secret

    def _name(self, key: str) -> str:
        _check_key(key)
        return self._prefix + key

    @contextmanager
    def _calling(self, action: str, name: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - S3 only

        try:
            yield
        except ClientError as error:
            raise self._translate(error, action=action, name=name) from error
        except BotoCoreError as error:
            message = (
                f"Could not {action} {name!r} in bucket {self._bucket!r}. The request ended in "
                f"{type(error).__name__}. An answer from S3 was expected. Check the network, the "
                "region, the endpoint and that there are credentials."
            )
            raise StoreError(message) from error

    def _translate(self, error: "ClientError", *, action: str, name: str) -> StoreError:
        status, code = _answer(error)
        what = (
            f"Could not {action} {name!r} in bucket {self._bucket!r}. S3 answered {status} {code}. "
        )
        missing = status == HTTPStatus.NOT_FOUND and code != "NoSuchBucket"
        if action == "read" and missing:
            return ObjectNotFoundError(
                what + "An object that was put before was expected. Check key, bucket and prefix."
            )
        if action == "read" and status == HTTPStatus.FORBIDDEN and code in _DENIALS:
            return ObjectNotFoundError(
                what + "An object that this role may read was expected. Either there is none and "
                "the role lacks s3:ListBucket, or it lacks s3:GetObject: grant them and look again."
            )
        if action == "write" and (missing or status == HTTPStatus.PRECONDITION_FAILED):
            retries = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
            doubt = " An earlier attempt of this very write may have won." if retries else ""
            return PreconditionFailedError(
                what + "No object, or the version named, was expected there. "
                "Read the object and decide again." + doubt
            )
        if action == "write" and status == HTTPStatus.CONFLICT and code in _CONFLICTS:
            return _ConflictError(
                what + f"One of {_WRITE_ATTEMPTS} attempts was expected to pass between other "
                "writers of this key. Try again later."
            )
        return StoreError(
            what + "A success was expected. Check the bucket's name, its region and what this "
            "role may do (s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket)."
        )


class _ConflictError(StoreError):
    """Two conditional writes collided, and S3 decided neither."""


def _s3_client() -> "S3Client":
    try:
        import boto3  # noqa: PLC0415 - a folder store must not pay for it
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError as error:
        message = (
            "Could not open a store on S3. The package boto3 is not installed. An extra that has "
            "it was expected: predict, feedback or training. Run: pip install 'aisle[predict]'"
        )
        raise StoreError(message) from error
    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 4},
    )
    try:
        return boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        message = (
            f"Could not open a store on S3. The AWS settings gave {type(error).__name__}. A usable "
            "profile, region and endpoint were expected. Check the AWS_* variables and ~/.aws."
        )
        raise StoreError(message) from error


def _answer(error: "ClientError") -> tuple[int, str]:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status, error.response.get("Error", {}).get("Code", "without a code")


def _fault(key: str) -> str | None:
    """Tell what is wrong with a key, or None."""
    parts = key.split("/")
    if not key.isprintable() or "\\" in key:  # no NUL, line end or lone surrogate either
        return "printable characters and no backslash"
    if not all(parts) or {".", ".."} & set(parts):
        return "a relative path without empty parts, '.' or '..'"
    if any(part.startswith(_OWN) for part in parts):
        return f"no part that begins with {_OWN!r}"
    if len(key.encode()) > _KEY_BYTES or any(len(part.encode()) > _PART_BYTES for part in parts):
        return f"{_KEY_BYTES} bytes at most, {_PART_BYTES} in one part"
    return None


def _check_key(key: str) -> None:
    if fault := _fault(key):
        message = (
            f"Could not use an object key. The key given was {key!r}. Expected was {fault}. "
            "Build keys with aisle.keys."
        )
        raise StoreError(message)


def _check_prefix(prefix: str) -> None:
    if prefix:
        _check_key(prefix.removesuffix("/"))


def _check_conditions(key: str, *, if_absent: bool, if_match: str | None) -> None:
    if if_absent and if_match is not None:
        message = (
            f"Could not write {key!r}. Both if_absent and if_match were given. One condition at "
            "most was expected. Leave one out."
        )
        raise StoreError(message)


def _lost(key: str, url: str, *, found: str, given: str) -> PreconditionFailedError:
    return PreconditionFailedError(
        f"Could not write {key!r} to {url}. There was {found}. Expected was {given}. "
        "Read the object and decide again."
    )


@contextmanager
def _os_errors(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = (
            f"Could not {action} {str(path)!r}. The system answered {error.strerror or error!s}. "
            "A place that this process may use, with room on it, was expected. Check that the "
            "path is right, its parents are folders, the permissions and the free space."
        )
        raise StoreError(message) from error


def _open(path: Path) -> BinaryIO:
    with _os_errors("open", path):
        return path.open("rb")


def _chunks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    with _os_errors("read", path):
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _write_durably(
    target: Path, chunks: Iterable[bytes], *, place: Callable[[Path, Path], None]
) -> str:
    """Write a temporary file beside the target, have it placed, and return its sha256."""
    digest = hashlib.sha256()
    temporary = target.with_name(f"{_OWN}{secrets.token_hex(8)}.tmp")
    with _os_errors("write", target):
        _make_folder(target.parent)
        try:
            # Not tempfile: its files are for their owner alone, and another user may have to read.
            with temporary.open("xb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
    return digest.hexdigest()


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # The file stays: were it deleted, two processes could each lock one of the same name.
    with (folder / _LOCK_NAME).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _walk(folder: Path, trail: tuple[Path, ...]) -> Iterator[Path]:
    """Find the files under a folder, through links, but not around in circles."""
    real = folder.resolve()
    if real in trail:
        return
    try:
        entries = [*folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, (*trail, real))
        elif entry.is_file():
            yield entry
