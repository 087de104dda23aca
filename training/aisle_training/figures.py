"""Reproducible JSON: equal figures give equal bytes."""

import json
from typing import Any


def to_json(data: Any) -> bytes:  # noqa: ANN401  # plain data
    """Return plain data as JSON, with sorted keys and rounded numbers."""
    return json.dumps(_rounded(data), indent=2, sort_keys=True).encode() + b"\n"


def _rounded(value: Any) -> Any:  # noqa: ANN401  # plain data
    """Round all numbers: the last bits of a sum depend on the order in which threads add."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
