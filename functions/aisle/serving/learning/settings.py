"""The settings of the retraining trigger."""

from pydantic import Field

from aisle.feedback.due import DAYS, NEEDED, Policy
from aisle.serving.http.settings import Settings


class RetrainSettings(Settings):
    """When retraining is due; each is the environment variable AISLE_<NAME>."""

    retrain_needed: int = Field(
        default=NEEDED,
        gt=0,
        description="How many newly corrected products make retraining due.",
    )
    retrain_days: float = Field(
        default=DAYS, gt=0, description="After how many days one newly corrected product does."
    )

    def policy(self) -> Policy:
        """Return the settings as a `Policy`."""
        return Policy(needed=self.retrain_needed, days=self.retrain_days)
