"""What can be set about the authorizer."""

from pydantic import Field

from aisle.serving.http.settings import Settings


class AuthorizerSettings(Settings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    store: str = Field(default="", description="Where the records of the API keys are.")
    keys: str = Field(
        default="",
        description="These records themselves, as `aisle keys list --json` prints them, instead.",
        repr=False,
    )
