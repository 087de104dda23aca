"""The policy that the authorizer returns to API Gateway, and its settings."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from aisle.access import api_keys
from aisle.errors import NotAuthenticatedError
from authorizer.policy import UnauthorizedError, authorize
from authorizer.settings import AuthorizerSettings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
API = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5"
ARN = f"{API}/prod/POST/v1/predict"


def make(*scopes):
    """Make a key with these scopes."""
    return api_keys.new_key("shop", scopes, now=NOW, lifetime=timedelta(days=1))


def ask(key, record, *, header="X-Api-Key", arn=ARN):
    """Authorize a request with a key in a header."""
    event = {"type": "REQUEST", "methodArn": arn, "headers": {"Host": "x", header: key}}
    return authorize(event, (record,), now=NOW)


@pytest.mark.parametrize("header", ["X-Api-Key", "x-api-key", "X-API-KEY"])
def test_header_in_any_case(header):
    """The header's name may be in any case."""
    assert ask(*make("predict"), header=header)["principalId"] == "shop"


PREDICT = [
    "POST/v1/predict",
    "POST/v1/predict/batch",
    "GET/v1/categories",
    "GET/v1/model",
    "GET/v1/models",
    "GET/v1/models/*/report",
    "GET/v1/training",
    "GET/v1/feedback/stats",
]
FEEDBACK = ["POST/v1/feedback", "POST/v1/feedback/batch"]


@pytest.mark.parametrize("arn", [ARN, f"{API}/prod/GET/v1/model", f"{API}/prod/POST/"])
@pytest.mark.parametrize(
    ("scopes", "opened"),
    [
        (["predict"], PREDICT),
        (["feedback"], FEEDBACK),
        (["predict", "feedback"], PREDICT + FEEDBACK),
    ],
)
def test_policy_covers_the_scopes_and_no_more(scopes, opened, arn):
    """The policy does not depend on the requested route; every key may read the docs."""
    policy = ask(*make(*scopes), arn=arn)
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "execute-api:Invoke"
    docs = ["GET/v1/docs", "GET/v1/docs/*", "GET/v1/openapi.json"]
    assert sorted(statement["Resource"]) == sorted(f"{API}/prod/{route}" for route in opened + docs)


def test_context_is_what_the_functions_read():
    """The context has the client and the scopes, as strings only."""
    key, record = make("feedback", "predict")
    policy = ask(key, record)
    assert policy["context"] == {"client": "shop", "scopes": "feedback predict"}
    assert policy["usageIdentifierKey"] == record.usage_id
    assert re.fullmatch(".{20,128}", policy["usageIdentifierKey"])  # what API Gateway accepts
    assert key not in str(policy)


@pytest.mark.parametrize("headers", [None, {}, {"Authorization": "aisle_1"}, {"X-Api-Key": ""}])
def test_without_a_key(headers):
    """A request without the header is refused."""
    with pytest.raises(NotAuthenticatedError):
        authorize({"methodArn": ARN, "headers": headers}, (make("predict")[1],), now=NOW)


def test_the_message_that_api_gateway_expects():
    """The refusal has the only message for which API Gateway returns 401."""
    assert str(UnauthorizedError()) == "Unauthorized"


def test_settings_do_not_show_keys():
    """The text of the settings does not show the keys."""
    settings = AuthorizerSettings.read({"AISLE_KEYS": "[secret]", "AISLE_STORE": "s3://shelf"})
    assert settings.keys == "[secret]"
    assert "secret" not in repr(settings)
