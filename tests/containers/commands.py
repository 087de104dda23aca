"""Commands run, addresses asked, and waiting for something to come up."""

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
# No more than Lambda lets a function do.
LOCKED_DOWN = (
    *("--read-only", "--tmpfs", "/tmp", "--user", "993:990", "--cap-drop", "ALL"),  # noqa: S108
    *("--security-opt", "no-new-privileges"),
)


def missing(reason):
    """Skip for want of a tool, but fail where CI promised it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def environment(extra=None):
    """Return this process's environment without AWS settings, and with what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | (extra or {})


def run(*command, env=None, check=True):
    """Run a command in the project's folder, without AWS settings; a failure quotes it."""
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment(env),
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


class Answer:
    """An answer over HTTP, whatever its status."""

    def __init__(self, status, headers, body):
        self.status = status
        self.type = headers.get_content_type()
        self.body = body

    def json(self):
        """Parse the body."""
        return json.loads(self.body)


def ask(url, body=None, *, key=None, method=None, headers=None):
    """Send a request, a body as JSON, and return the answer."""
    sent = {"X-Api-Key": key} if key else {}
    if body is not None:
        sent["Content-Type"] = "application/json"
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310  # addresses of our own containers
        url, body, sent | (headers or {}), method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def wait_for(condition, *, seconds=START_SECONDS, or_say=lambda: ""):
    """Return what a condition gives once it gives something; fail with what else is to say."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if found := condition():
                return found
        except OSError:
            pass  # nobody listens yet
        time.sleep(0.3)
    return pytest.fail(f"nothing came within {seconds} s\n{or_say()}")


def api_event(method, path, body=None):
    """Make the event of a request that has passed the authorizer."""
    sent = None if body is None else json.dumps(body)
    return event("predict", httpMethod=method, path=path, resource=path, body=sent)
