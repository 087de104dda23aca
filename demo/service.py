"""The command line and the API as a shop would use them: as processes, over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

_AISLE: Final = [sys.executable, "-c", "from aisle.cli.main import main; main()"]
_BATCH: Final = 50


class DemoError(Exception):
    """Something that the demo promises did not happen."""


def aisle(store: Path, *arguments: str) -> str:
    """Run a command of `aisle` on a store; return what it prints."""
    command = [*_AISLE, "--store", str(store), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise DemoError(f"`aisle {' '.join(arguments)}` ended with exit code {done.returncode}.")
    return done.stdout.strip()


@contextmanager
def serving(store: Path) -> Iterator["ApiClient"]:
    """Run `aisle serve` on a store while the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [*_AISLE, "--store", str(store), "serve", "--port", str(port)]
    open_to_all = {name: value for name, value in os.environ.items() if name != "AISLE_KEYS"}
    process = subprocess.Popen(command, env=open_to_all)  # noqa: S603
    try:
        api = ApiClient(f"http://127.0.0.1:{port}")
        until(lambda: process.poll() is not None or api.answers(), "The service answers", 60)
        yield api
    finally:
        process.terminate()
        process.wait()


class ApiClient:
    """The API at an address."""

    def __init__(self, address: str, key: str = "") -> None:
        self.address = address
        self._headers = {"Content-Type": "application/json", "X-Api-Key": key}

    def answers(self) -> bool:
        """Tell whether it is up."""
        try:
            self.get("/healthz")
        except (URLError, OSError):
            return False
        return True

    def get(self, path: str) -> Any:  # noqa: ANN401  # JSON has no narrower type
        """Ask for something."""
        return self._ask(Request(self.address + path, headers=self._headers))  # noqa: S310

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401  # as above
        """Send something."""
        data = json.dumps(body).encode()
        return self._ask(Request(self.address + path, data, headers=self._headers))  # noqa: S310

    def classify(self, rows: list[dict[str, Any]]) -> list[str]:
        """Return the id of the category that the model says of each product."""
        found: list[str] = []
        for at in range(0, len(rows), _BATCH):
            products = [product(row) for row in rows[at : at + _BATCH]]
            results = self.post("/v1/predict/batch", {"products": products})["results"]
            found += [each["prediction"]["category"]["id"] for each in results]
        return found

    def correct(self, rows: list[dict[str, Any]]) -> int:
        """Say of products what is right; return how many of these are recorded."""
        recorded = 0
        for at in range(0, len(rows), _BATCH):
            said = [
                {"product": product(row), "category": category(row)}
                for row in rows[at : at + _BATCH]
            ]
            results = self.post("/v1/feedback/batch", {"feedback": said})["results"]
            recorded += sum(each["status"] == "recorded" for each in results)
        return recorded

    def _ask(self, request: Request) -> Any:  # noqa: ANN401  # as above
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)


def product(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked about a row of a catalogue."""
    fields = ("name", "description", "manufacturer", "price")
    return {field: row[field] for field in fields if row.get(field) is not None}


def category(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's category as feedback has it: by its path, and by the shop's id of it."""
    own = row["category"][-1]["id"]
    return {"path": names(row)} | ({"id": own} if own else {})


def names(row: dict[str, Any]) -> list[str]:
    """Return the names of a row's category, root first."""
    return [node["name"] for node in row["category"]]


def until(true: Callable[[], object], what: str, seconds: float, *, every: float = 0.5) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise DemoError(f"This did not happen within {seconds:g} s: {what}.")
        time.sleep(every)
