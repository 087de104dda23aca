"""Helpers that run commands, send requests, and wait for a condition."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.lambda_runtime import event

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 900
START_SECONDS = 120
# The restrictions under which Lambda runs a function.
LOCKED_DOWN = (
    *("--read-only", "--tmpfs", "/tmp", "--user", "993:990", "--cap-drop", "ALL"),  # noqa: S108
    *("--security-opt", "no-new-privileges"),
)


def missing(reason):
    """Skip because a tool is missing; fail in CI, which must have it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def environment(extra=None):
    """Return this process's environment without AWS settings, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | (extra or {})


def run(*command, env=None, check=True):
    """Run a command in the project's folder, without AWS settings; a failure shows its output."""
    process = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment(env),
        text=True,
        timeout=BUILD_SECONDS,
    )
    failed = process.returncode != 0
    assert not (check and failed), f"{command}\n{process.stdout}\n{process.stderr}"
    return process


class Response:
    """An HTTP response of any status."""

    def __init__(self, status, headers, body):
        self.status = status
        self.type = headers.get_content_type()
        self.body = body

    def json(self):
        """Parse the body."""
        return json.loads(self.body)


def ask(url, body=None, *, key=None, method=None, headers=None):
    """Send a request with an optional JSON body, and return the response."""
    all_headers = {"X-Api-Key": key} if key else {}
    if body is not None:
        all_headers["Content-Type"] = "application/json"
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310  # addresses of our own containers
        url, body, all_headers | (headers or {}), method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # as above
            return Response(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.headers, error.read())


def wait_for(condition, *, seconds=START_SECONDS, details=lambda: ""):
    """Poll a condition and return its first true result; on timeout, fail with `details`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except OSError:
            pass  # not listening yet
        time.sleep(0.3)
    return pytest.fail(f"the condition did not become true within {seconds} s\n{details()}")


def api_event(method, path, body=None):
    """Make the event of a request that has passed the authorizer."""
    text = None if body is None else json.dumps(body)
    return event("predict", httpMethod=method, path=path, resource=path, body=text)
