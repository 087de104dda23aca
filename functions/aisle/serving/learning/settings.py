"""What can be set about the decision to retrain, wherever it is made."""

from pydantic import Field

from aisle.feedback.due import DAYS, NEEDED, Policy
from aisle.serving.http.settings import Settings


class RetrainSettings(Settings):
    """When retraining is due; each is the variable AISLE_<NAME> of the environment."""

    retrain_needed: int = Field(
        default=NEEDED,
        gt=0,
        description="How many products newly corrected make it due; what agrees counts for none.",
    )
    retrain_days: float = Field(
        default=DAYS, gt=0, description="After how many days a single one does."
    )

    def policy(self) -> Policy:
        """Return them as the decision takes them."""
        return Policy(needed=self.retrain_needed, days=self.retrain_days)
