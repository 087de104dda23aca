"""What can be set about the feedback function."""

from pydantic import Field

from aisle.serving.http.settings import ApiSettings


class FeedbackSettings(ApiSettings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    store: str = Field(default="", description="Where feedback is kept; it has to be given.")
