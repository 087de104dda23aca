"""What can be set about the predict function."""

from pydantic import Field

from aisle.serving.predict.settings import LiveSettings


class PredictSettings(LiveSettings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    store: str = Field(
        default="", description="Where published models are; without it, the packaged one serves."
    )
