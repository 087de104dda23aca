"""What everything is called, from the name of the stack; the templates name it the same way."""

import re
from dataclasses import dataclass
from typing import Final

from aisle.errors import ConfigurationError

# Bucket names have these letters alone, and 63 of them, of which account and region need 40.
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
                f"Nothing was deployed: {self.stack!r} cannot be the name of a stack. Expected "
                "were 2 to 20 small letters, digits and hyphens, a letter first. Choose another."
            )

    @property
    def bootstrap(self) -> str:
        """Name the stack of what has to be there first."""
        return f"{self.stack}-bootstrap"

    @property
    def artifacts(self) -> str:
        """Name the bucket of the nested templates."""
        return self._bucket("artifacts")

    @property
    def data(self) -> str:
        """Name the bucket that is the store."""
        return self._bucket("data")

    @property
    def store(self) -> str:
        """Name the store."""
        return f"s3://{self.data}"

    @property
    def site(self) -> str:
        """Name the bucket of the page."""
        return self._bucket("site")

    @property
    def training(self) -> str:
        """Name the queue and the definition of the training job."""
        return f"{self.stack}-training"

    @property
    def registry(self) -> str:
        """Name the host of the images."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"

    def image(self, target: str) -> str:
        """Name the repository of an image."""
        return f"{self.registry}/{self.stack}-{target}"

    def _bucket(self, what: str) -> str:
        return f"{self.stack}-{what}-{self.account}-{self.region}"
