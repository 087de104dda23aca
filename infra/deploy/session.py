"""The clients of AWS's services; no other module of the package imports boto3."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aisle.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

__all__ = ["ClientError", "Session", "calling", "code"]


class Session:
    """An account and a region, with the credentials of the environment or ~/.aws."""

    def __init__(self) -> None:
        self._boto3 = boto3.Session()

    @cached_property
    def region(self) -> str:
        """Return the region."""
        if not self._boto3.region_name:
            raise CloudError(
                "No request was sent to AWS: no region is set. Expected one, such as eu-west-1. "
                "Give --region, or set AWS_DEFAULT_REGION."
            )
        return str(self._boto3.region_name)

    @cached_property
    def account(self) -> str:
        """Return the account's id."""
        with calling("look up the account of these credentials"):
            return self._boto3.client("sts").get_caller_identity()["Account"]

    @cached_property
    def apigateway(self) -> "APIGatewayClient":
        """Return the client of API Gateway."""
        return self._boto3.client("apigateway")

    @cached_property
    def batch(self) -> "BatchClient":
        """Return the client of Batch."""
        return self._boto3.client("batch")

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """Return the client of CloudFormation."""
        return self._boto3.client("cloudformation")

    @cached_property
    def cloudfront(self) -> "CloudFrontClient":
        """Return the client of CloudFront."""
        return self._boto3.client("cloudfront")

    @cached_property
    def ecr(self) -> "ECRClient":
        """Return the client of the image registry."""
        return self._boto3.client("ecr")

    @cached_property
    def iam(self) -> "IAMClient":
        """Return the client of IAM."""
        return self._boto3.client("iam")

    @cached_property
    def s3(self) -> "S3Client":
        """Return the client of S3."""
        return self._boto3.client("s3")


@contextmanager
def calling(action: str) -> Iterator[None]:
    """Turn an error of AWS into a CloudError that names the action."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise CloudError(
            f"Could not {action}. The request failed: {error}. Expected it to succeed. Check the "
            "credentials, their permissions and the region; then run the same command again."
        ) from error


def code(error: ClientError) -> str:
    """Return AWS's code of an error."""
    return error.response.get("Error", {}).get("Code", "")
