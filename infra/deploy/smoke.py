"""A prediction request to the deployed service, sent from outside as a client would send it."""

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
_DEADLINE_SECONDS: Final = 300  # a new key and a new distribution take a while to propagate
_PAUSE_SECONDS: Final = 10
_TIMEOUT_SECONDS: Final = 40


class Ask(Protocol):
    """Send a product to an address, with or without a key, and return status and body."""

    def __call__(self, url: str, key: str | None) -> tuple[int, bytes]:
        """Send it."""


def smoke_test(
    url: str, *, key: str | None, ask: Ask, pause: Callable[[float], None] = time.sleep
) -> str:
    """Request a prediction until there is one, and return its top-level category.

    Raises CloudError if there is none within five minutes.
    """
    last = ""
    for _ in range(_DEADLINE_SECONDS // _PAUSE_SECONDS):
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
        f"The deployed service does not answer at {url}/v1/predict. Its last answer: {last}. "
        f"Expected a prediction within {_DEADLINE_SECONDS} s. Look at the dashboard and the logs."
    )


def ask_over_http(url: str, key: str | None) -> tuple[int, bytes]:
    """Send `PRODUCT`; see `Ask`."""
    headers = {"Content-Type": "application/json"} | ({HEADER: key} if key else {})
    request = urllib.request.Request(url, json.dumps(PRODUCT).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
