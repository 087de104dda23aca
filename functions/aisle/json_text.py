"""JSON of unknown origin: anyone with write access to a store can write anything."""

import json
from typing import Any


def parse_json(data: bytes | str) -> Any:  # noqa: ANN401  # JSON has no narrower type
    """Parse JSON text; raise ValueError for any text that cannot be parsed.

    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: it is nested too deeply
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
