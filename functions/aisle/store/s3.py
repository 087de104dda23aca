"""A store in an S3 bucket, or under a prefix in one."""

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, Final, TypedDict

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from aisle.errors import (
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreDeniedError,
    StoreError,
    StoreNotFoundError,
    StoreUnreachableError,
)
from aisle.store.files import CHUNK_BYTES
from aisle.store.interface import Store, StoredObject, check_key, check_prefix, fault

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, PutObjectRequestTypeDef

_WRITE_ATTEMPTS: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.1
# Two conditional writes collided, and S3 carried out neither.
_CONFLICTS: Final = frozenset({(409, "ConditionalRequestConflict"), (409, "OperationAborted")})
# Other codes also have status 403 (wrong secret, wrong clock) but say nothing about the key.
_DENIALS: Final = frozenset({(403, "AccessDenied"), (403, "Forbidden"), (403, "403")})


class _Condition(TypedDict, total=False):
    IfNoneMatch: str


@dataclass(frozen=True, slots=True)
class ObjectStream:
    """An object's content from some byte on; `etag` and `size` describe the whole object."""

    chunks: Iterator[bytes]
    etag: str
    size: int


class S3Store(Store):
    """Store objects in an S3 bucket, under a prefix."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        client: "S3Client | None" = None,
        patient: bool = True,
    ) -> None:
        if prefix:
            check_key(prefix)
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client or _new_client(patient=patient)

    @property
    def url(self) -> str:
        """The bucket and prefix as an `s3://` address."""
        return f"s3://{self._bucket}/{self._prefix}".removesuffix("/")

    def get(self, key: str) -> StoredObject:
        """Read an object in one request."""
        name = self._name(key)
        with self._calling("read", name):
            return _whole(self._client.get_object(Bucket=self._bucket, Key=name))

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read an object with If-None-Match; S3 answers an empty 304 if it has not changed."""
        name = self._name(key)
        with self._calling("read", name):
            try:
                return _whole(
                    self._client.get_object(Bucket=self._bucket, Key=name, IfNoneMatch=etag)
                )
            except ClientError as error:
                if _answer(error)[0] == HTTPStatus.NOT_MODIFIED:
                    return None
                raise

    def list(self, prefix: str) -> Iterator[str]:
        """List keys page by page; skip invalid keys, such as the console's folder placeholders."""
        check_prefix(prefix)
        return self._list(self._prefix + prefix)

    def exists(self, key: str) -> bool:
        """Request an object's head; S3 gives the same answer if the bucket does not exist."""
        name = self._name(key)
        with self._calling("look up", name):
            try:
                self._client.head_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
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
    def stream_unless(self, key: str, etag: str | None) -> Iterator[ObjectStream | None]:
        """Read an object in chunks, or yield None if it still has `etag`.

        The key need not be a valid key of a store, because other software wrote the object.
        """
        name = self._prefix + key
        condition: _Condition = {"IfNoneMatch": etag} if etag else {}
        with self._calling("read", name):
            try:
                response = self._client.get_object(Bucket=self._bucket, Key=name, **condition)
            except ClientError as error:
                if _answer(error)[0] != HTTPStatus.NOT_MODIFIED:
                    raise
                response = None
            if response is None:
                yield None
                return
            with closing(response["Body"]) as body:
                yield ObjectStream(
                    body.iter_chunks(CHUNK_BYTES), response["ETag"], response["ContentLength"]
                )

    @contextmanager
    def stream_rest(self, key: str, etag: str, *, start: int) -> Iterator[ObjectStream]:
        """Read an object in chunks, from byte `start` on.

        Raises PreconditionFailedError if its ETag is no longer `etag`. The key need not be a valid
        key of a store.
        """
        name = self._prefix + key
        with self._calling("read", name):
            try:
                response = self._client.get_object(
                    Bucket=self._bucket, Key=name, IfMatch=etag, Range=f"bytes={start}-"
                )
            except ClientError as error:
                if _answer(error)[0] != HTTPStatus.PRECONDITION_FAILED:
                    raise
                raise PreconditionFailedError(
                    f"Could not read the rest of {name!r} in bucket {self._bucket!r}. It has "
                    f"changed. Expected the ETag {etag}. Read it from the start."
                ) from error
            with closing(response["Body"]) as body:
                size = start + response["ContentLength"]
                yield ObjectStream(body.iter_chunks(CHUNK_BYTES), response["ETag"], size)

    def _write(
        self, key: str, body: bytes | BinaryIO, *, if_absent: bool, if_match: str | None
    ) -> str:
        """Write an object in one request; retry if two conditional writes collided."""
        name = self._name(key)
        request: PutObjectRequestTypeDef = {"Bucket": self._bucket, "Key": name, "Body": body}
        if if_absent:
            request["IfNoneMatch"] = "*"
        if if_match is not None:
            request["IfMatch"] = if_match
        attempt = 1
        with self._calling("write", name):
            while True:
                try:
                    return self._client.put_object(**request)["ETag"]
                except ClientError as error:
                    if _answer(error) not in _CONFLICTS or attempt == _WRITE_ATTEMPTS:
                        raise
                if not isinstance(body, bytes):
                    body.seek(0)
                longest = _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
                time.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - no secret
                attempt += 1

    @contextmanager
    def _stream(self, key: str) -> Iterator[Iterable[bytes]]:
        name = self._name(key)
        with self._calling("read", name):
            response = self._client.get_object(Bucket=self._bucket, Key=name)
            with closing(response["Body"]) as body:
                yield body.iter_chunks(CHUNK_BYTES)

    def _list(self, start: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        with self._calling("list", start):
            for page in pages.paginate(Bucket=self._bucket, Prefix=start):
                for entry in page.get("Contents", ()):
                    key = entry["Key"].removeprefix(self._prefix)
                    if not fault(key):
                        yield key

    def _name(self, key: str) -> str:
        check_key(key)
        return self._prefix + key

    @contextmanager
    def _calling(self, action: str, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._translate(error, action=action, name=name) from error
        except BotoCoreError as error:
            raise _kind(error)(
                f"Could not {action} {name!r} in bucket {self._bucket!r}. The request ended in "
                f"{type(error).__name__}. Expected an answer from S3. Check the network, the "
                "region, the endpoint and that there are credentials."
            ) from error

    def _translate(self, error: ClientError, *, action: str, name: str) -> StoreError:
        status, code = answer = _answer(error)
        what = (
            f"Could not {action} {name!r} in bucket {self._bucket!r}. S3 answered {status} {code}. "
        )
        missing = status == HTTPStatus.NOT_FOUND and code != "NoSuchBucket"
        if action == "read" and missing:
            return ObjectNotFoundError(
                what + "Expected an object that was written before. Check key, bucket and prefix."
            )
        if action == "read" and answer in _DENIALS:
            return ObjectNotFoundError(
                what + "Expected an object that this role may read. Either there is none and the "
                "role lacks s3:ListBucket, or it lacks s3:GetObject. Grant both and try again."
            )
        if action == "write" and (missing or status == HTTPStatus.PRECONDITION_FAILED):
            retries = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
            doubt = " An earlier attempt of this same write may have succeeded." if retries else ""
            return PreconditionFailedError(
                what + "Expected no object there, or the version with the given ETag. Read the "
                "object and decide again." + doubt
            )
        if action == "write" and answer in _CONFLICTS:
            return StoreError(
                what
                + f"Each of {_WRITE_ATTEMPTS} attempts collided with another write of this key. "
                "Expected one to succeed. Try again later."
            )
        kind = StoreDeniedError if status == HTTPStatus.FORBIDDEN else StoreError
        kind = StoreNotFoundError if code == "NoSuchBucket" else kind
        return kind(
            what + "Expected success. Check the bucket's name, its region and this role's "
            "permissions (s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket)."
        )


def _new_client(*, patient: bool) -> "S3Client":
    config = Config(
        connect_timeout=3 if patient else 1,
        read_timeout=10 if patient else 2,
        retries={"mode": "standard", "total_max_attempts": 4 if patient else 2},
    )
    try:
        return boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise StoreError(
            f"Could not open a store on S3. The AWS settings gave {type(error).__name__}. Expected "
            "a usable profile, region and endpoint. Check the AWS_* variables and ~/.aws."
        ) from error


def _kind(error: BotoCoreError) -> type[StoreError]:
    """Return the error type for a request that got no answer."""
    if isinstance(error, HTTPClientError | NoConnectionError):  # no connection, no answer in time
        return StoreUnreachableError
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StoreDeniedError
    return StoreError


def _whole(response: "GetObjectOutputTypeDef") -> StoredObject:
    with closing(response["Body"]) as body:
        return StoredObject(body.read(), response["ETag"])


def _answer(error: ClientError) -> tuple[int, str]:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status, error.response.get("Error", {}).get("Code", "without a code")
