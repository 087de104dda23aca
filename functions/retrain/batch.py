"""The training job on AWS Batch."""

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
    """Return what submits a job for a run, with its reason; it raises CloudError where AWS refuses.

    Its only arguments are these two: what runs, and where, says the definition.
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
                f"The training job could not be submitted to {queue}: {error}. A success was "
                "expected. Look whether queue and definition are there, and this role may submit."
            ) from error

    return submit
