"""Submit training jobs to AWS Batch."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aisle.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient


def job_on_batch(
    queue: str, definition: str, client: "BatchClient | None" = None
) -> Callable[[str, str], None]:
    """Return a function that submits a training job, given its id and the reason.

    It raises CloudError if AWS refuses. The job definition says what runs and where.
    """

    def submit(run: str, why: str) -> None:
        try:
            (client or boto3.client("batch")).submit_job(
                jobName=f"retrain-{run}",
                jobQueue=queue,
                jobDefinition=definition,
                containerOverrides={"command": ["retrain", "--run", run, "--why", why]},
            )
        except (BotoCoreError, ClientError) as error:
            raise CloudError(
                f"The training job could not be submitted to {queue}: {error}. Expected success. "
                "Check that the queue and the definition exist and that this role may submit."
            ) from error

    return submit
