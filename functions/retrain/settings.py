"""The settings of the retrain function."""

from pydantic import Field

from aisle.serving.learning.settings import RetrainSettings


class RetrainFunctionSettings(RetrainSettings):
    """The settings; each is the environment variable AISLE_<NAME>."""

    store: str = Field(default="", description="The store with the feedback; required.")
    job_queue: str = Field(min_length=1, description="The AWS Batch queue for training jobs.")
    job_definition: str = Field(
        min_length=1, description="The AWS Batch definition of the training job."
    )
