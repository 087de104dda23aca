"""The command line and the API as a shop uses them: in processes, over HTTP."""

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
    """A step of the demo failed."""


def aisle(store: Path, *arguments: str) -> str:
    """Run a command of `aisle` on a store; return its output."""
    command = [*_AISLE, "--store", str(store), *arguments]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if process.returncode:
        raise DemoError(f"`aisle {' '.join(arguments)}` ended with exit code {process.returncode}.")
    return process.stdout.strip()


@contextmanager
def serving(store: Path) -> Iterator["ApiClient"]:
    """Run `aisle serve` on a store for the duration of the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [*_AISLE, "--store", str(store), "serve", "--port", str(port)]
    without_keys = {name: value for name, value in os.environ.items() if name != "AISLE_KEYS"}
    process = subprocess.Popen(command, env=without_keys)  # noqa: S603
    try:
        api = ApiClient(f"http://127.0.0.1:{port}")
        until(lambda: process.poll() is not None or api.answers(), "the service answers", 60)
        yield api
    finally:
        process.terminate()
        process.wait()


class ApiClient:
    """A client of the API at an address."""

    def __init__(self, address: str, key: str = "") -> None:
        self.address = address
        self._headers = {"Content-Type": "application/json", "X-Api-Key": key}

    def answers(self) -> bool:
        """Tell whether the API is up."""
        try:
            self.get("/healthz")
        except (URLError, OSError):
            return False
        return True

    def get(self, path: str) -> Any:  # noqa: ANN401  # JSON has no narrower type
        """Send a GET request; return the JSON of the response."""
        return self._ask(Request(self.address + path, headers=self._headers))  # noqa: S310

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401  # as above
        """Send a POST request with a JSON body; return the JSON of the response."""
        data = json.dumps(body).encode()
        return self._ask(Request(self.address + path, data, headers=self._headers))  # noqa: S310

    def classify(self, rows: list[dict[str, Any]]) -> list[str]:
        """Return the id of the predicted category of each product."""
        ids: list[str] = []
        for start in range(0, len(rows), _BATCH):
            products = [product(row) for row in rows[start : start + _BATCH]]
            results = self.post("/v1/predict/batch", {"products": products})["results"]
            ids += [result["prediction"]["category"]["id"] for result in results]
        return ids

    def correct(self, rows: list[dict[str, Any]]) -> int:
        """Send the right categories of products; return how many corrections are recorded."""
        recorded = 0
        for start in range(0, len(rows), _BATCH):
            corrections = [
                {"product": product(row), "category": category(row)}
                for row in rows[start : start + _BATCH]
            ]
            results = self.post("/v1/feedback/batch", {"feedback": corrections})["results"]
            recorded += sum(result["status"] == "recorded" for result in results)
        return recorded

    def _ask(self, request: Request) -> Any:  # noqa: ANN401  # as above
        with urlopen(request, timeout=60) as response:  # noqa: S310
            return json.load(response)


def product(row: dict[str, Any]) -> dict[str, Any]:
    """Return a catalogue row's product as the API takes it."""
    fields = ("name", "description", "manufacturer", "price")
    return {field: row[field] for field in fields if row.get(field) is not None}


def category(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's category as feedback takes it: its path and, if it has one, the shop's id."""
    shop_id = row["category"][-1]["id"]
    return {"path": names(row)} | ({"id": shop_id} if shop_id else {})


def names(row: dict[str, Any]) -> list[str]:
    """Return the names of a row's category, root first."""
    return [node["name"] for node in row["category"]]


def until(
    condition: Callable[[], object], event: str, seconds: float, *, interval: float = 0.5
) -> None:
    """Poll until a condition is true; raise DemoError after the given seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"This did not happen within {seconds:g} s: {event}.")
        time.sleep(interval)
