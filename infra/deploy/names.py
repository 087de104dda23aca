"""Names of all resources, derived from the stack's name; the templates derive the same names."""

import re
from dataclasses import dataclass
from typing import Final

from aisle.errors import ConfigurationError

# Bucket names allow only these characters, at most 63; account and region need 40 of them.
_STACK: Final = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one deployment."""

    stack: str
    account: str
    region: str

    def __post_init__(self) -> None:
        if not _STACK.fullmatch(self.stack):
            raise ConfigurationError(
                f"Nothing was deployed: {self.stack!r} is not a valid stack name. Expected 2 to 20 "
                "lowercase letters, digits and hyphens, starting with a letter and not ending with "
                "a hyphen. Choose another."
            )

    @property
    def bootstrap(self) -> str:
        """Name the stack that has to exist before the main one."""
        return f"{self.stack}-bootstrap"

    @property
    def artifacts(self) -> str:
        """Name the bucket for the nested templates."""
        return self._bucket("artifacts")

    @property
    def data(self) -> str:
        """Name the bucket that holds the store."""
        return self._bucket("data")

    @property
    def store(self) -> str:
        """Return the address of the store."""
        return f"s3://{self.data}"

    @property
    def site(self) -> str:
        """Name the bucket of the page."""
        return self._bucket("site")

    @property
    def training(self) -> str:
        """Name the queue and the definition of training jobs."""
        return f"{self.stack}-training"

    @property
    def registry(self) -> str:
        """Return the host of the image registry."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"

    def image(self, target: str) -> str:
        """Name the repository of an image."""
        return f"{self.registry}/{self.stack}-{target}"

    def _bucket(self, purpose: str) -> str:
        return f"{self.stack}-{purpose}-{self.account}-{self.region}"
