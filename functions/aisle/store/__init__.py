"""The object store: a folder or S3, behind one interface with the same behaviour.

`interface` defines what a store does and which keys are valid, `folder` and `s3` implement it, and
`files` writes files that survive a crash. Both stores write atomically and support conditional
writes ("only if absent", "only if unchanged since I read it"). Only `s3` imports boto3, and only
`open_store` imports `s3`, so a process that uses a folder loads neither. `layout` builds every
object key. The content of objects does not belong here: the package that writes an object reads it.
"""

from pathlib import Path
from urllib.parse import unquote

from aisle.errors import StoreError
from aisle.store.files import can_be_path
from aisle.store.folder import FolderStore
from aisle.store.interface import Store, StoredObject

__all__ = ["FolderStore", "Store", "StoredObject", "open_store"]


def open_store(url: str, *, patient: bool = True) -> Store:
    """Open the store at an address.

    `file:///absolute`, `file://relative` or a plain path is a folder, which the first write
    creates (in a plain path, `~` is the home folder); `s3://bucket` or `s3://bucket/prefix` is S3.
    With `patient=False`, requests to S3 fail after about five seconds without an answer, for
    processes that people wait for. Raises StoreError for an address of another kind, and for S3 if
    boto3 is not installed.
    """
    scheme, separator, rest = url.partition("://")
    folder = url if not separator else unquote(rest) if scheme.lower() == "file" else ""
    if folder and can_be_path(folder):
        return FolderStore(Path(folder) if separator else _expanded(Path(folder)))
    bucket, _, prefix = rest.partition("/")
    if scheme.lower() == "s3" and bucket:
        return _open_s3(bucket, prefix.removesuffix("/"), patient=patient)
    raise StoreError(
        f"Could not open an object store. The address given was {url!r}. Expected file://, a plain "
        "path or s3://bucket/prefix. Correct the address."
    )


def _expanded(path: Path) -> Path:
    """Expand `~` as a shell does, which leaves it unchanged if there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _open_s3(bucket: str, prefix: str, *, patient: bool) -> Store:
    try:
        from aisle.store.s3 import S3Store  # noqa: PLC0415 - a folder store must not load boto3
    except ImportError as error:
        raise StoreError(
            "Could not open a store on S3. The package boto3 is not installed. Expected the extra "
            's3, or training, which includes it. Run: pip install "aisle[s3]"'
        ) from error
    return S3Store(bucket, prefix, patient=patient)
