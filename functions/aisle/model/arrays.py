"""Dataclasses of arrays as files in the safetensors format."""

from dataclasses import fields
from typing import Any, Self

from safetensors import SafetensorError
from safetensors.numpy import load, save

from aisle.errors import BundleError


class Arrays:
    """Mixin that writes and reads a dataclass whose fields are all NumPy arrays."""

    __slots__ = ()

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
            return cls(**{name: arrays[name] for name in _names(cls)})
        except (SafetensorError, ValueError) as error:
            reason = str(error)
        except KeyError as error:
            reason = f"it has no array {error}"
        raise BundleError(
            f"The bundle's {file} cannot be read: {reason}. Expected a safetensors file that "
            "`aisle train` exported. Export the model again."
        )


def _names(kind: Any) -> list[str]:  # noqa: ANN401  # a dataclass, which has no type of its own
    return [field.name for field in fields(kind)]
