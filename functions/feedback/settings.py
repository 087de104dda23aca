"""The settings of the feedback function."""

from pydantic import Field

from aisle.serving.http.settings import ApiSettings


class FeedbackSettings(ApiSettings):
    """The settings; each is the environment variable AISLE_<NAME>."""

    store: str = Field(default="", description="The store for feedback; required.")
