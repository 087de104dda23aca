"""Figures as JSON: the same bytes for the same figures."""

import json
from typing import Any


def to_json(data: Any) -> bytes:  # noqa: ANN401  # plain data
    """Return data as JSON bytes, the same for the same data."""
    return json.dumps(_rounded(data), indent=2, sort_keys=True).encode() + b"\n"


def _rounded(value: Any) -> Any:  # noqa: ANN401  # plain data
    """Round all numbers: the last bits of a sum depend on the order in which threads add it up."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
