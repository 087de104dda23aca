"""JSON of unknown origin: whoever may write to a store may write anything."""

import json
from typing import Any


def parse_json(data: bytes | str) -> Any:  # noqa: ANN401  # JSON has no narrower type
    """Return what JSON text says; raise ValueError for whatever cannot be read.

    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: it is nested too deeply
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
