"""What can be set about the feedback function."""

from pydantic import Field

from api.settings import ApiSettings


class Settings(ApiSettings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    store: str = Field(default="", description="Where feedback is kept; it has to be given.")
