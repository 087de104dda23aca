"""The settings of the predict function."""

from pydantic import Field

from aisle.serving.predict.settings import LiveSettings


class PredictSettings(LiveSettings):
    """The settings; each is the environment variable AISLE_<NAME>."""

    store: str = Field(
        default="",
        description="The store with the published models; without it, the packaged model serves.",
    )
