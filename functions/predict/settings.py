"""What can be set about the predict function."""

from pydantic import Field

from api.settings import ApiSettings
from predict.live import POLL_SECONDS


class Settings(ApiSettings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    store: str = Field(
        default="", description="Where published models are; without it, the packaged one serves."
    )
    poll_seconds: int = Field(
        default=POLL_SECONDS, gt=0, description="How often to look for another model, at most."
    )
