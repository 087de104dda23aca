"""Dataclasses of arrays as one file: the arrays, one after another, as NumPy writes them."""

import io
from dataclasses import fields
from typing import Any, Self

import numpy as np

from aisle.errors import BundleError


class Arrays:
    """What a dataclass whose fields are all arrays is read and written by."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """Return the arrays in the order of the fields."""
        buffer = io.BytesIO()
        for field in _fields(type(self)):
            np.save(buffer, getattr(self, field), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raise BundleError where it is something else."""
        buffer = io.BytesIO(data)
        try:
            return cls(**{name: np.load(buffer, allow_pickle=False) for name in _fields(cls)})
        except (EOFError, ValueError) as error:
            raise BundleError(
                f"The bundle's {cls.__name__.lower()} cannot be read: {error}. Export the model "
                "again."
            ) from error


def _fields(kind: Any) -> list[str]:  # noqa: ANN401  # a dataclass, which has no type of its own
    return [field.name for field in fields(kind)]
