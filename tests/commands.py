"""The command line and the server, run in separate processes."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from tests.waiting import LIMIT_SECONDS

AISLE = [sys.executable, "-c", "from aisle.cli.main import main; main()"]
TERMINAL = {"TERM": "dumb", "COLUMNS": "200", "NO_COLOR": "1", "LOKY_MAX_CPU_COUNT": "1"}


def environment():
    """Return this environment without Aisle's variables, with a terminal that prints plain text."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
    return kept | TERMINAL


def run_alone(code):
    """Run code in a fresh interpreter with an empty environment; return its last line, parsed."""
    process = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        capture_output=True,
        check=False,
        env={},
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


class Server:
    """A server on a free port, stopped at the end of the block in any case."""

    def __init__(self, folder, *options, store="empty", command=AISLE, **variables):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [*command, "--store", store, "serve", "--port", str(self.port), *options],
            cwd=folder,
            env=environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        """Wait until it answers or has ended; the limit guards against a server that hangs."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask("/healthz")
            except urllib.error.URLError:
                time.sleep(0.1)
            else:
                break
        return self

    def __exit__(self, *_):
        """Kill it if it still runs."""
        self.process.kill()
        self.process.communicate(timeout=LIMIT_SECONDS)

    def ask(self, path, key=None, **product):
        """Send a request; return the status and the parsed body."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(product).encode() if product else None,
            headers={"content-type": "application/json"} | ({"x-api-key": key} if key else {}),
        )
        try:
            response = urllib.request.urlopen(request, timeout=LIMIT_SECONDS)  # noqa: S310
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return response.status, json.loads(response.read())

    def stop(self, signal):
        """Send a signal; return the exit code, standard output and standard error."""
        self.process.send_signal(signal)
        out, err = self.process.communicate(timeout=LIMIT_SECONDS)
        return self.process.returncode, out, err
