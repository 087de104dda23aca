"""A disk that fills up, for the tests of the object store."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def break_writes(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that makes a step of a write fail as on a full disk."""

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
