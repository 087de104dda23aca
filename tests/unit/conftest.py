"""What the tests of the object store share."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give boto3 settings that lead nowhere."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def s3_url(aws: None) -> Iterator[str]:
    """Give the address of a prefix in the empty bucket `shelf`."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="shelf")
        yield "s3://shelf/team/shop"


@pytest.fixture
def break_writes(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that makes one of the calls a write needs fail as on a full disk."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    class FullFile(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(bytes(data)[:3])
            raise OSError(28, "No space left on device")

    def open_full(path: Path, mode: str = "r") -> object:
        return FullFile(path, mode) if "x" in mode else io.FileIO(path, mode)

    def break_call(call: str) -> None:
        if call == "write":
            monkeypatch.setattr(Path, "open", open_full)
        else:
            monkeypatch.setattr(os, call, fail)

    return break_call
