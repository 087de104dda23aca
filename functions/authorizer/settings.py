"""The settings of the authorizer."""

from pydantic import Field

from aisle.serving.http.settings import Settings


class AuthorizerSettings(Settings):
    """The settings; each is the environment variable AISLE_<NAME>."""

    store: str = Field(default="", description="The store with the records of the API keys.")
    keys: str = Field(
        default="",
        description="The records instead, as `aisle keys list --json` prints them.",
        repr=False,
    )
