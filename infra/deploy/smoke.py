"""A question to what was deployed, as a client would ask it, from outside."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

from aisle.access.api_keys import HEADER
from aisle.errors import CloudError

PRODUCT: Final = {"name": "GoPro - Camera Mount Accessory Kit - Black"}
_PATIENCE_SECONDS: Final = 300  # a new key, and a new distribution, take a while to be known
_PAUSE_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 40


class Ask(Protocol):
    """Send a product to an address, with a key or without, and return status and body."""

    def __call__(self, url: str, key: str | None) -> tuple[int, bytes]:
        """Ask."""


def smoke_test(
    url: str, *, key: str | None, ask: Ask, pause: Callable[[float], None] = time.sleep
) -> str:
    """Ask for a prediction until there is one, and return its first category.

    Raises CloudError where there is none for five minutes.
    """
    last = ""
    for _ in range(_PATIENCE_SECONDS // _PAUSE_SECONDS):
        try:
            status, body = ask(f"{url}/v1/predict", key)
        except OSError as error:
            last = str(error)
        else:
            if status == HTTPStatus.OK:
                return str(json.loads(body)["category"]["path"][0]["name"])
            last = f"{status} {body[:300].decode(errors='replace')}"
        pause(_PAUSE_SECONDS)
    raise CloudError(
        f"What was deployed does not answer at {url}/v1/predict. The last it said was: {last}. A "
        f"prediction was expected within {_PATIENCE_SECONDS} s. Look at the dashboard and the logs."
    )


def ask_over_http(url: str, key: str | None) -> tuple[int, bytes]:
    """Ask as `Ask` says."""
    headers = {"Content-Type": "application/json"} | ({HEADER: key} if key else {})
    request = urllib.request.Request(url, json.dumps(PRODUCT).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
