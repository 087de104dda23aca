"""Settings of the APIs, read from an explicit mapping."""

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
    """Settings; each is the environment variable AISLE_<NAME>."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from the environment; missing variables have defaults.

        Raises ConfigurationError, which names the variable but not its value, for a bad value.
        """
        names = {name: PREFIX + name.upper() for name in cls.model_fields}
        values = {name: environment[key] for name, key in names.items() if key in environment}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise ConfigurationError(
                f"The variable {names[str(first['loc'][0])]} cannot be used: {first['msg']}. "
                "Correct it in the environment, or remove it."
            ) from None


class ApiSettings(Settings):
    """The settings of every HTTP API."""

    max_body_bytes: int = Field(
        default=MAX_BYTES, gt=0, description="The largest accepted body, in bytes."
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="The origins whose pages may call the API, separated by commas."
    )
