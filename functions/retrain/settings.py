"""What can be set about the function that decides to retrain."""

from pydantic import Field

from aisle.serving.learning.settings import RetrainSettings


class RetrainFunctionSettings(RetrainSettings):
    """The settings of the function."""

    store: str = Field(default="", description="Where the feedback is; it has to be given.")
    job_queue: str = Field(min_length=1, description="The queue of AWS Batch for training.")
    job_definition: str = Field(min_length=1, description="The definition of the training job.")
