"""The settings of the predict API."""

from pydantic import Field

from aisle.serving.http.settings import ApiSettings
from aisle.serving.predict.live import POLL_SECONDS


class LiveSettings(ApiSettings):
    """The settings; each is the environment variable AISLE_<NAME>."""

    poll_seconds: int = Field(
        default=POLL_SECONDS, gt=0, description="The seconds between checks for a new model."
    )
