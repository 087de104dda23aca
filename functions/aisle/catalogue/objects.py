"""Objects in S3, by address: downloaded to the cache like files from the web, or uploaded."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from aisle.catalogue.download import (
    CACHE,
    Download,
    FileChangedError,
    FileVersion,
    cached,
    printable,
)
from aisle.errors import DataError, PreconditionFailedError, StoreError
from aisle.store import open_store
from aisle.store.interface import fault

if TYPE_CHECKING:
    from aisle.store.s3 import S3Store


def is_object(address: str) -> bool:
    """Tell whether an address is an S3 address.

    >>> is_object("s3://shop/products.csv"), is_object("https://shop.example/products.csv")
    (True, False)
    """
    return address.lower().startswith("s3://")


def fetch_object(address: str, *, cache: Path = CACHE) -> Path:
    """Return the local file of `s3://bucket/key`, downloaded unless the cache has it unchanged.

    An interrupted download resumes, now or next time, if the object is still the same. Raises
    DataError if the download fails; its message tells absent, denied and unreachable apart.
    """
    store, key = object_of(address)
    try:
        with cached(address, key.rpartition("/")[2], cache) as target:
            return _ObjectDownload(store, key, target).run()
    except (OSError, StoreError) as error:
        raise DataError(f"{display_object(address)} could not be fetched. {error}") from error


def write_object(address: str, path: Path) -> None:
    """Upload a file to `s3://bucket/key`; raise StoreError if that fails."""
    store, key = object_of(address)
    store.upload(key, path)


def object_of(address: str) -> tuple["S3Store", str]:
    """Return an address's bucket, as a store, and its key.

    Raises DataError for an address that lacks either, and StoreError if boto3 is not installed.
    """
    bucket, key = parts_of(address)
    if not bucket or not key or key.endswith("/") or _has_login(bucket):
        raise DataError(
            f"{display_object(address)} is not the address of an object. Expected s3://bucket/key, "
            "with a key that ends in the file's name, and without a login before the bucket. "
            "Correct the address."
        )
    if not key.isprintable() or {".", ".."} & set(key.split("/")):
        # HTTP clients resolve the dots in a path, and would request another object.
        raise DataError(
            f"{display_object(address)} cannot be used: its key {key!r} has a part '.' or '..', or "
            "a non-printable character. Expected a key without either. Copy the object to another "
            "key and use that."
        )
    return cast("S3Store", open_store(f"s3://{bucket}")), key


def check_writable(address: str) -> None:
    """Raise DataError if an S3 address cannot be a target for results; make no request."""
    _, key = object_of(address)
    if expected := fault(key):
        raise DataError(
            f"{display_object(address)} cannot be written: its key is {key!r}. Expected "
            f"{expected}. Choose another key."
        )


def parts_of(address: str) -> tuple[str, str]:
    """Return an S3 address's bucket and key.

    >>> parts_of("S3://shop/in/all.csv")
    ('shop', 'in/all.csv')
    """
    bucket, _, key = address[len("s3://") :].partition("/")
    return bucket, key


def display_object(address: str) -> str:
    """Return an S3 address for display, without a login that someone put before the bucket.

    >>> display_object("s3://me:secret@shop/all.csv")
    's3://shop/all.csv'
    """
    bucket, key = parts_of(address)
    bucket = bucket.rpartition("@")[2]
    if _has_login(bucket):  # a slash in a password moves its rest into the key
        return "s3://…"
    return printable(f"s3://{bucket}/{key}")


def _has_login(bucket: str) -> bool:
    return "@" in bucket or (":" in bucket and not bucket.startswith("arn:"))


class _ObjectDownload(Download):
    """The download of an S3 object; the store itself retries if S3 does not answer."""

    def __init__(self, store: "S3Store", key: str, target: Path) -> None:
        super().__init__(target)
        self._store, self._key = store, key

    def receive(
        self, start: int, version: FileVersion | None, complete: FileVersion | None
    ) -> bool:
        """Read the missing rest, or the whole object unless it is unchanged."""
        if start and version and version.etag:
            if start == version.size:  # interrupted after the last byte
                return True
            try:
                with self._store.stream_rest(self._key, version.etag, start=start) as rest:
                    self.keep(rest.chunks, start, version)
            except PreconditionFailedError as error:
                raise FileChangedError from error
            return True
        etag = complete.etag if complete else None
        with self._store.stream_unless(self._key, etag) as content:
            if content is None:
                return False
            self.keep(content.chunks, 0, FileVersion(content.etag, None, content.size))
        return True
