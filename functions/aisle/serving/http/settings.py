"""What can be set about the functions, read from an explicit mapping."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aisle.errors import ConfigurationError
from aisle.serving.http.body import MAX_BYTES

PREFIX = "AISLE_"


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


class Settings(BaseModel):
    """Settings; each is the variable AISLE_<NAME> of the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings that the environment has.

        Raises ConfigurationError, which names the variable but not its value, where one is wrong.
        """
        names = {name: PREFIX + name.upper() for name in cls.model_fields}
        given = {name: environment[key] for name, key in names.items() if key in environment}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise ConfigurationError(
                f"The variable {names[str(first['loc'][0])]} cannot be used: {first['msg']}. "
                "Correct it in the environment, or leave it out."
            ) from None


class ApiSettings(Settings):
    """What can be set about every function that answers HTTP."""

    max_body_bytes: int = Field(default=MAX_BYTES, gt=0, description="The largest body accepted.")
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="The origins whose pages may ask, with commas between them."
    )
