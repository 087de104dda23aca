"""S3 buckets: upload a folder, empty, delete."""

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from aisle.errors import CloudError
from infra.deploy.session import ClientError, Session, calling, code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


class Buckets:
    """The buckets of an account."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> "S3Client":
        return self._session.s3

    def put(self, bucket: str, key: str, data: bytes, *, kind: str = "application/json") -> str:
        """Write an object that browsers revalidate on each use, and return its address."""
        with calling(f"write {key} to the bucket {bucket}"):
            self._client.put_object(
                Bucket=bucket, Key=key, Body=data, ContentType=kind, CacheControl="no-cache"
            )
        return f"https://{bucket}.s3.{self._session.region}.amazonaws.com/{key}"

    def mirror(self, folder: Path, bucket: str, *, extra: dict[str, bytes]) -> int:
        """Make a bucket hold a folder's files, the `extra` objects, and no others; count them."""
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        wanted = files | extra
        for key, data in wanted.items():
            self.put(bucket, key, data, kind=content_type(key))
        with calling(f"tidy up the bucket {bucket}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for page in pages:
                present = [item["Key"] for item in page.get("Contents", [])]
                self._delete(bucket, [{"Key": key} for key in present if key not in wanted])
        return len(wanted)

    def empty(self, bucket: str) -> None:
        """Delete every version of every object; do nothing if the bucket does not exist."""
        with calling(f"empty the bucket {bucket}"):
            try:
                for page in self._client.get_paginator("list_object_versions").paginate(
                    Bucket=bucket
                ):
                    versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                    self._delete(
                        bucket,
                        [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions],
                    )
            except ClientError as error:
                if code(error) != "NoSuchBucket":
                    raise

    def delete(self, bucket: str) -> None:
        """Delete a bucket and its contents; do nothing if it does not exist."""
        self.empty(bucket)
        with calling(f"delete the bucket {bucket}"):
            try:
                self._client.delete_bucket(Bucket=bucket)
            except ClientError as error:
                if code(error) != "NoSuchBucket":
                    raise

    def _delete(self, bucket: str, objects: "list[ObjectIdentifierTypeDef]") -> None:
        """Delete one page of a listing, which fits into one request."""
        if not objects:
            return
        response = self._client.delete_objects(Bucket=bucket, Delete={"Objects": objects})
        for error in response.get("Errors", []):
            raise CloudError(
                f"Could not delete {error.get('Key')} from the bucket {bucket}: "
                f"{error.get('Message')}. Expected S3 to delete it. Check the permissions of the "
                "credentials."
            )


def content_type(key: str) -> str:
    """Return the content type of a file, from its name.

    >>> content_type("app.js"), content_type("index.html"), content_type("data")
    ('text/javascript; charset=utf-8', 'text/html; charset=utf-8', 'application/octet-stream')
    """
    kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
