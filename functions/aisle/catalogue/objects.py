"""Objects of a bucket, by address: fetched to the cache as files from the web are, or written."""

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
    """Tell whether an address is one of S3.

    >>> is_object("s3://shop/products.csv"), is_object("https://shop.example/products.csv")
    (True, False)
    """
    return address.lower().startswith("s3://")


def fetch_object(address: str, *, cache: Path = CACHE) -> Path:
    """Return the file of `s3://bucket/key`, fetched to the cache unless it is there unchanged.

    A download that breaks off goes on where it stopped, now or the next time, if the object is
    still the same. Raises DataError where it cannot be fetched: absent, denied and unreachable are
    told apart.
    """
    store, key = object_of(address)
    try:
        with cached(address, key.rpartition("/")[2], cache) as target:
            return _ObjectDownload(store, key, target).run()
    except (OSError, StoreError) as error:
        raise DataError(f"{shown_object(address)} could not be fetched. {error}") from error


def write_object(address: str, path: Path) -> None:
    """Write a file to `s3://bucket/key`; raise StoreError where that cannot be done."""
    store, key = object_of(address)
    store.upload(key, path)


def object_of(address: str) -> tuple["S3Store", str]:
    """Return the bucket of an address as a store, and the key in it.

    Raises DataError for an address without either, and StoreError where boto3 is not installed.
    """
    bucket, key = parts_of(address)
    if not bucket or not key or key.endswith("/") or _has_login(bucket):
        raise DataError(
            f"{shown_object(address)} is no address of an object. Expected was s3://bucket/key, "
            "where the key is all that comes behind the bucket, with the file's name, and no name "
            "or password before it. Correct it."
        )
    if not key.isprintable() or {".", ".."} & set(key.split("/")):
        # A path of the web does without the dots, so that another object would be asked for.
        raise DataError(
            f"{shown_object(address)} cannot be used: its key {key!r} has a part '.' or '..', or a "
            "character that cannot be printed. Expected was a key without either. Copy the object "
            "to another key, and give that."
        )
    return cast("S3Store", open_store(f"s3://{bucket}")), key


def check_writable(address: str) -> None:
    """Raise DataError where no result can be written to an address of S3, whatever is there."""
    _, key = object_of(address)
    if expected := fault(key):
        raise DataError(
            f"{shown_object(address)} cannot be written: its key is {key!r}. Expected was "
            f"{expected}. Choose another key."
        )


def parts_of(address: str) -> tuple[str, str]:
    """Return an S3 address's bucket and key.

    >>> parts_of("S3://shop/in/all.csv")
    ('shop', 'in/all.csv')
    """
    bucket, _, key = address[len("s3://") :].partition("/")
    return bucket, key


def shown_object(address: str) -> str:
    """Return an S3 address without a name or password, which some put before the bucket.

    >>> shown_object("s3://me:secret@shop/all.csv")
    's3://shop/all.csv'
    """
    bucket, key = parts_of(address)
    bucket = bucket.rpartition("@")[2]
    if _has_login(bucket):  # a password with a slash in it, the rest of which is in the key
        return "s3://…"
    return printable(f"s3://{bucket}/{key}")


def _has_login(bucket: str) -> bool:
    return "@" in bucket or (":" in bucket and not bucket.startswith("arn:"))


class _ObjectDownload(Download):
    """An object of a bucket; the store retries by itself where S3 does not answer."""

    def __init__(self, store: "S3Store", key: str, target: Path) -> None:
        super().__init__(target)
        self._store, self._key = store, key

    def receive(self, start: int, version: FileVersion | None, whole: FileVersion | None) -> bool:
        """Read the rest, or the whole unless it has not changed."""
        if start and version and version.etag:
            if start == version.size:  # it was cut off after its last byte
                return True
            try:
                with self._store.stream_rest(self._key, version.etag, start=start) as rest:
                    self.keep(rest.chunks, start, version)
            except PreconditionFailedError as error:
                raise FileChangedError from error
            return True
        etag = whole.etag if whole else None
        with self._store.stream_unless(self._key, etag) as content:
            if content is None:
                return False
            self.keep(content.chunks, 0, FileVersion(content.etag, None, content.size))
        return True
