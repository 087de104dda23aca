"""Dataclasses of arrays as files in the safetensors format."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from aisle.errors import BundleError


class Arrays:
    """Mixin that writes and reads a dataclass whose fields are all NumPy arrays."""

    __slots__ = ()
    KINDS: ClassVar[Mapping[str, tuple[int, str]]]
    """Each array's number of axes, and its dtype or dtypes ("uint16|int32")."""

    def to_bytes(self) -> bytes:
        """Return the arrays as a safetensors file, each under its field's name."""
        data: bytes = save({name: getattr(self, name) for name in _names(type(self))})
        return data

    @classmethod
    def from_bytes(cls, data: bytes, file: str) -> Self:
        """Read what `to_bytes` wrote.

        `file` names the data in the BundleError that is raised where an array is missing or the
        data is not a safetensors file.
        """
        try:
            arrays = load(data)
            return cls(**{name: arrays[name] for name in _names(cls)}).checked(file)
        except (SafetensorError, ValueError) as error:
            reason = str(error)
        except KeyError as error:
            reason = f"it has no array {error}"
        raise BundleError(
            f"The bundle's {file} cannot be read: {reason}. Expected a safetensors file that "
            "`aisle train` exported. Export the model again."
        )

    def checked(self, file: str) -> Self:
        """Return this; raise BundleError for an array of another kind, or that is not finite."""
        for name, (axes, dtypes) in self.KINDS.items():
            array = getattr(self, name)
            if array.ndim != axes or array.dtype not in map(np.dtype, dtypes.split("|")):
                raise BundleError(
                    f"The bundle's {file} has the array {name} as {array.dtype} {array.shape}. "
                    f"Expected {dtypes} with {axes} axes. Export the model again."
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise BundleError(
                    f"The bundle's {file} has numbers in {name} that are not finite. Export the "
                    "model again."
                )
        return self


def _names(kind: Any) -> list[str]:  # noqa: ANN401  # a dataclass, which has no type of its own
    return [field.name for field in fields(kind)]
