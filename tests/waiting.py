"""Waiting for events, for as long as a busy machine needs."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 1800
"""Guards against a test that hangs. No test claims that something happens within this time."""


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Wait until `happened` returns something true; fail after `LIMIT_SECONDS`."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT_SECONDS} s"
        time.sleep(0.01)
