"""What tests of the object store, and of what is read from it again and again, share."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.seconds = 1e9

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


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
