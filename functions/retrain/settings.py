"""What can be set about the decision to retrain, and about the function that makes it."""

from pydantic import Field

from aisle.retraining import DAYS, NEEDED, Policy
from api.settings import Settings as BaseSettings


class RetrainSettings(BaseSettings):
    """When retraining is due; each is the variable AISLE_<NAME> of the environment."""

    retrain_needed: int = Field(
        default=NEEDED, gt=0, description="How many products newly corrected make it due."
    )
    retrain_days: float = Field(
        default=DAYS, gt=0, description="After how many days a single one does."
    )

    def policy(self) -> Policy:
        """Return them as the decision takes them."""
        return Policy(needed=self.retrain_needed, days=self.retrain_days)


class Settings(RetrainSettings):
    """The settings of the function."""

    store: str = Field(default="", description="Where the feedback is; it has to be given.")
    job_queue: str = Field(min_length=1, description="The queue of AWS Batch for training.")
    job_definition: str = Field(min_length=1, description="The definition of the training job.")
