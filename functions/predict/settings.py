"""What can be set about the predict function."""

from pydantic import Field

from api.settings import ApiSettings


class Settings(ApiSettings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    store: str = Field(
        default="", description="Where published models are; without it, the packaged one serves."
    )
