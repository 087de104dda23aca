"""What can be set about the predict API, read from an explicit mapping."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.body import MAX_BYTES

PREFIX = "AISLE_"


class Settings(BaseModel):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_body_bytes: int = Field(default=MAX_BYTES, gt=0, description="The largest body accepted.")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings that the environment has; raise ValidationError where one is wrong."""
        names = {name: PREFIX + name.upper() for name in cls.model_fields}
        return cls.model_validate(
            {name: environment[key] for name, key in names.items() if key in environment}
        )
