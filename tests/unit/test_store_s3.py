"""What only the S3 store can break: the meaning of S3's responses, and retries."""

import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from aisle.errors import (
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreDeniedError,
    StoreError,
    StoreNotFoundError,
    StoreUnreachableError,
)
from aisle.store import Store, open_store
from aisle.store.s3 import S3Store

BUCKET = "shelf"


@pytest.fixture
def stubbed(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Store, Stubber]]:
    """Give an S3 store with stubbed responses and no real pauses."""
    client = boto3.client("s3")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with Stubber(client) as stubber:
        yield S3Store(BUCKET, "team", client=client), stubber
        stubber.assert_no_pending_responses()


@pytest.mark.usefixtures("aws")
def test_s3_prefix_is_a_key() -> None:
    """A malformed prefix is refused like a malformed key."""
    with pytest.raises(StoreError, match="a//b"):
        open_store("s3://bucket/a//b")


def test_s3_store_sees_only_its_prefix(s3_url: str) -> None:
    """A store sees only its own prefix; a store at the bucket's root sees everything."""
    open_store(s3_url).put("a", b"")
    open_store(f"{s3_url}-other/").put("b", b"")
    assert list(open_store(s3_url).list("")) == ["a"]
    assert list(open_store(f"s3://{BUCKET}").list("")) == ["team/shop-other/b", "team/shop/a"]


def test_s3_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the message names the extra to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "aisle.store.s3")
    with pytest.raises(StoreError, match=r'pip install "aisle\[s3\]"'):
        open_store("s3://bucket")


@pytest.mark.usefixtures("aws")
def test_s3_with_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed endpoint is a StoreError with its cause."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(StoreError, match="AWS settings") as caught:
        open_store("s3://bucket")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [(404, "NoSuchKey", "404 NoSuchKey"), (403, "AccessDenied", "s3:ListBucket")],
)
@pytest.mark.parametrize("method", ["get", "get_if_changed", "download"])
def test_s3_missing_or_forbidden(
    stubbed: tuple[S3Store, Stubber],
    tmp_path: Path,
    method: str,
    *,
    status: int,
    code: str,
    hint: str,
) -> None:
    """A missing key, or a 403 that may mean one, is "not found"; the message says which."""
    store, stubber = stubbed
    stubber.add_client_error("get_object", code, http_status_code=status)
    arguments = {"get": (), "get_if_changed": ("x",), "download": (tmp_path / "out",)}[method]
    with pytest.raises(ObjectNotFoundError, match=hint) as caught:
        getattr(store, method)("a", *arguments)
    assert f"{status} {code}" in str(caught.value)
    assert "'team/a'" in str(caught.value)
    assert BUCKET in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchBucket", StoreNotFoundError),
        (403, "InvalidAccessKeyId", StoreDeniedError),
        (403, "SignatureDoesNotMatch", StoreDeniedError),
        (403, "RequestTimeTooSkewed", StoreDeniedError),
        (500, "InternalError", StoreError),
        (503, "SlowDown", StoreError),
    ],
)
def test_s3_trouble_is_not_absence(
    stubbed: tuple[S3Store, Stubber], status: int, code: str, kind: type[StoreError]
) -> None:
    """A wrong bucket, secret or clock, or a fault of S3, never means "no such object"."""
    store, stubber = stubbed
    stubber.add_client_error("get_object", code, http_status_code=status)
    with pytest.raises(StoreError, match=f"'team/a'.*'{BUCKET}'.*{code}") as caught:
        store.get("a")
    assert type(caught.value) is kind


def test_s3_exists_when_forbidden(stubbed: tuple[S3Store, Stubber]) -> None:
    """A 403 on exists() raises; it does not mean that there is no object."""
    store, stubber = stubbed
    stubber.add_client_error("head_object", "403", http_status_code=403)
    with pytest.raises(StoreDeniedError, match="403"):
        store.exists("a")


def test_s3_write_forbidden(stubbed: tuple[S3Store, Stubber]) -> None:
    """A refused write is a StoreError, neither "not found" nor a failed condition."""
    store, stubber = stubbed
    stubber.add_client_error("put_object", "AccessDenied", http_status_code=403)
    with pytest.raises(StoreError, match="403 AccessDenied") as caught:
        store.put("a", b"", if_absent=True)
    assert type(caught.value) is StoreDeniedError


@pytest.mark.parametrize(
    ("condition", "sent", "status", "code"),
    [
        ({"if_absent": True}, {"IfNoneMatch": "*"}, 412, "PreconditionFailed"),
        ({"if_match": '"e"'}, {"IfMatch": '"e"'}, 412, "PreconditionFailed"),
        ({"if_match": '"e"'}, {"IfMatch": '"e"'}, 404, "NoSuchKey"),
    ],
)
def test_s3_condition_failed(
    stubbed: tuple[S3Store, Stubber],
    condition: dict[str, Any],
    sent: dict[str, str],
    *,
    status: int,
    code: str,
) -> None:
    """The condition is sent as a header, and its refusal is a failed precondition."""
    store, stubber = stubbed
    request = {"Bucket": BUCKET, "Key": "team/a", "Body": b"x", **sent}
    stubber.add_client_error("put_object", code, http_status_code=status, expected_params=request)
    with pytest.raises(PreconditionFailedError, match=code) as caught:
        store.put("a", b"x", **condition)
    assert "earlier attempt" not in str(caught.value)


def test_s3_condition_failed_after_a_retry(stubbed: tuple[S3Store, Stubber]) -> None:
    """After a retry, the message says that an earlier attempt may have succeeded."""
    store, stubber = stubbed
    stubber.add_client_error(
        "put_object",
        "PreconditionFailed",
        http_status_code=412,
        response_meta={"RetryAttempts": 1},
    )
    with pytest.raises(PreconditionFailedError, match="earlier attempt"):
        store.put("a", b"x", if_absent=True)


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_s3_conflict_is_retried(stubbed: tuple[S3Store, Stubber], code: str) -> None:
    """A write that collided is repeated with its condition."""
    store, stubber = stubbed
    request = {"Bucket": BUCKET, "Key": "team/a", "Body": b"x", "IfMatch": "e"}
    for _ in range(2):
        stubber.add_client_error("put_object", code, http_status_code=409, expected_params=request)
    stubber.add_response("put_object", {"ETag": '"new"'}, request)
    assert store.put("a", b"x", if_match="e") == '"new"'


def test_s3_conflict_is_retried_with_pauses(
    stubbed: tuple[S3Store, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that always collides fails after five attempts and less than two seconds."""
    store, stubber = stubbed
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    for _ in range(5):
        stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    with pytest.raises(StoreError, match="409 ConditionalRequestConflict") as caught:
        store.put("a", b"x", if_absent=True)
    assert not isinstance(caught.value, PreconditionFailedError)
    assert len(pauses) == 4
    assert pauses == sorted(pauses)
    assert 0 < sum(pauses) < 2


def test_s3_upload_is_rewound(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that collided sends the whole file again, not its remainder."""
    client = boto3.client("s3")
    put_object, calls = client.put_object, []

    def collide_once(**request: Any) -> Any:
        calls.append(request["Body"].tell())
        if len(calls) == 1:
            request["Body"].read()
            with Stubber(client) as stubber:
                stubber.add_client_error(
                    "put_object",
                    "ConditionalRequestConflict",
                    http_status_code=409,
                    expected_params={"Bucket": ANY, "Key": ANY, "Body": ANY},
                )
                return put_object(**request)
        return put_object(**request)

    monkeypatch.setattr(client, "put_object", collide_once)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    source = tmp_path / "in.bin"
    source.write_bytes(b"whole")
    S3Store(BUCKET, "team/shop", client=client).upload("a", source)
    assert open_store(s3_url).get("a").data == b"whole"
    assert calls == [0, 0]


def test_s3_list_has_pages(stubbed: tuple[S3Store, Stubber]) -> None:
    """A listing reads all pages lazily, and skips folder markers."""
    store, stubber = stubbed
    first = {"Bucket": BUCKET, "Prefix": "team/m/"}
    stubber.add_response(
        "list_objects_v2",
        {
            "IsTruncated": True,
            "NextContinuationToken": "more",
            "Contents": [{"Key": "team/m/"}, {"Key": "team/m/a"}, {"Key": "team/m/b"}],
        },
        first,
    )
    listing = store.list("m/")
    assert [next(listing), next(listing)] == ["m/a", "m/b"]
    stubber.add_response(
        "list_objects_v2",
        {"IsTruncated": False, "Contents": [{"Key": "team/m/c"}]},
        {**first, "ContinuationToken": "more"},
    )
    assert list(listing) == ["m/c"]


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("list_objects_v2", lambda store: list(store.list("a"))),
        ("delete_object", lambda store: store.delete("a")),
    ],
)
def test_s3_other_refusals(
    stubbed: tuple[S3Store, Stubber], operation: str, call: Callable[[Store], object]
) -> None:
    """A refused listing or deletion is a StoreError with bucket and code."""
    store, stubber = stubbed
    stubber.add_client_error(operation, "AccessDenied", http_status_code=403)
    with pytest.raises(StoreError, match=f"{BUCKET}.*AccessDenied") as caught:
        call(store)
    assert type(caught.value) is StoreDeniedError


@pytest.mark.parametrize("method", ["get", "download"])
def test_s3_truncated_response(
    stubbed: tuple[S3Store, Stubber], tmp_path: Path, method: str
) -> None:
    """A truncated response is a StoreError, and leaves no file."""
    store, stubber = stubbed
    body = StreamingBody(io.BytesIO(b"half"), content_length=8)
    stubber.add_response("get_object", {"Body": body, "ETag": '"e"'})
    arguments = {"get": (), "download": (tmp_path / "out",)}[method]
    with pytest.raises(StoreError, match="IncompleteReadError"):
        getattr(store, method)("a", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("aws")
def test_s3_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed connection is a StoreError with bucket, key and cause, and without secrets."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = open_store(f"s3://{BUCKET}/team")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(StoreUnreachableError, match=f"'team/a'.*'{BUCKET}'") as caught:
        store.get("a")
    assert isinstance(caught.value.__cause__, EndpointConnectionError)
    assert "hush" not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("patient", "connect", "read", "attempts"), [(True, 3, 10, 4), (False, 1, 2, 2)]
)
def test_s3_client_is_patient_but_not_forever(
    monkeypatch: pytest.MonkeyPatch, *, patient: bool, connect: int, read: int, attempts: int
) -> None:
    """The client waits seconds, not minutes, and retries in standard mode."""
    configs = []
    monkeypatch.setattr(boto3, "client", lambda _, *, config: configs.append(config))
    S3Store(BUCKET, patient=patient)
    (config,) = configs
    assert (config.connect_timeout, config.read_timeout) == (connect, read)
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
