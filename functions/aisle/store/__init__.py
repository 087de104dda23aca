"""The object store: a folder or S3, behind one interface and with one meaning.

`interface` says what a store does and which keys it takes, `folder` and `s3` do it, and `files`
writes files that survive a crash. Both stores write atomically, and both know conditional writes
("only if absent", "only if still the version I read"). Only `s3` imports boto3, and only
`open_store` imports `s3`: a process that works on a folder loads neither. `layout` says what
objects are called. What is in them does not belong here: the room that writes one also reads it.
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

    `file:///absolute`, `file://relative` or a plain path is a folder, made by the first write
    (`~` is the user's own);
    `s3://bucket` or `s3://bucket/prefix` is S3. Without patience, an S3 that does not answer is
    given up after some five seconds, as suits a process that people wait for. Raises StoreError
    for an address of another kind, and where S3 is asked for but boto3 is not installed.
    """
    scheme, separator, rest = url.partition("://")
    folder = url if not separator else unquote(rest) if scheme.lower() == "file" else ""
    if folder and can_be_path(folder):
        return FolderStore(Path(folder) if separator else _expanded(Path(folder)))
    bucket, _, prefix = rest.partition("/")
    if scheme.lower() == "s3" and bucket:
        return _open_s3(bucket, prefix.removesuffix("/"), patient=patient)
    raise StoreError(
        f"Could not open an object store. The address given was {url!r}. Expected was file://, "
        "a plain path or s3://bucket/prefix. Correct the address."
    )


def _expanded(path: Path) -> Path:
    """Read `~` as a shell does, which leaves it where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _open_s3(bucket: str, prefix: str, *, patient: bool) -> Store:
    try:
        from aisle.store.s3 import S3Store  # noqa: PLC0415 - a folder store must not pay for it
    except ImportError as error:
        raise StoreError(
            "Could not open a store on S3. The package boto3 is not installed. The extra s3, or "
            'training, which has it too, was expected. Run: pip install "aisle[s3]"'
        ) from error
    return S3Store(bucket, prefix, patient=patient)
