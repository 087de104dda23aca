"""What can be set about predictions, wherever they are served."""

from pydantic import Field

from aisle.serving.http.settings import ApiSettings
from aisle.serving.predict.live import POLL_SECONDS


class LiveSettings(ApiSettings):
    """The settings; each is the variable AISLE_<NAME> of the environment."""

    poll_seconds: int = Field(
        default=POLL_SECONDS, gt=0, description="How often to look for another model, at most."
    )
