"""The command line in processes of its own, and the server among them."""

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
    """Give the environment of a shell without anything of Aisle's or of a terminal's in it."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
    return mine | TERMINAL


def run_alone(code):
    """Run code in a fresh interpreter without an environment, and parse its last line."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        capture_output=True,
        check=False,
        env={},
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class Server:
    """A server that was started on a free port, and is stopped come what may."""

    def __init__(self, folder, *options, store="empty", command=AISLE, **variables):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
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
        until = time.monotonic() + LIMIT_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            try:
                self.ask("/healthz")
            except urllib.error.URLError:
                time.sleep(0.1)
            else:
                break
        return self

    def __exit__(self, *_):
        """End it the hard way if it still runs."""
        self.process.kill()
        self.process.communicate(timeout=LIMIT_SECONDS)

    def ask(self, path, key=None, **product):
        """Ask; return the status and the answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(product).encode() if product else None,
            headers={"content-type": "application/json"} | ({"x-api-key": key} if key else {}),
        )
        try:
            answer = urllib.request.urlopen(request, timeout=LIMIT_SECONDS)  # noqa: S310
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, json.loads(answer.read())

    def stop(self, how):
        """Send a signal; return the exit code and what was said."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=LIMIT_SECONDS)
        return self.process.returncode, out, err
