"""What the authorizer answers API Gateway."""

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
    """Make a key of these scopes."""
    return api_keys.new_key("shop", scopes, now=NOW, lifetime=timedelta(days=1))


def ask(key, record, *, header="X-Api-Key", arn=ARN):
    """Ask with a key in a header."""
    event = {"type": "REQUEST", "methodArn": arn, "headers": {"Host": "x", header: key}}
    return authorize(event, (record,), now=NOW)


@pytest.mark.parametrize("header", ["X-Api-Key", "x-api-key", "X-API-KEY"])
def test_header_in_any_case(header):
    """The header's name may be written in any way."""
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
    """The policy is the same whichever route was asked for; the docs are in every key's."""
    found = ask(*make(*scopes), arn=arn)
    (statement,) = found["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "execute-api:Invoke"
    docs = ["GET/v1/docs", "GET/v1/docs/*", "GET/v1/openapi.json"]
    assert sorted(statement["Resource"]) == sorted(f"{API}/prod/{each}" for each in opened + docs)


def test_context_is_what_the_functions_read():
    """The functions learn the client and the scopes; the context has texts only."""
    key, record = make("feedback", "predict")
    found = ask(key, record)
    assert found["context"] == {"client": "shop", "scopes": "feedback predict"}
    assert found["usageIdentifierKey"] == record.usage_id
    assert re.fullmatch(".{20,128}", found["usageIdentifierKey"])  # what API Gateway takes
    assert key not in str(found)


@pytest.mark.parametrize("headers", [None, {}, {"Authorization": "aisle_1"}, {"X-Api-Key": ""}])
def test_without_a_key(headers):
    """A request without the header, or without any, is refused."""
    with pytest.raises(NotAuthenticatedError):
        authorize({"methodArn": ARN, "headers": headers}, (make("predict")[1],), now=NOW)


def test_the_word_that_api_gateway_looks_for():
    """The refusal has the one message that API Gateway answers 401 for."""
    assert str(UnauthorizedError()) == "Unauthorized"


def test_settings_do_not_show_keys():
    """What keys are set is not in the text of the settings."""
    settings = AuthorizerSettings.read({"AISLE_KEYS": "[secret]", "AISLE_STORE": "s3://shelf"})
    assert settings.keys == "[secret]"
    assert "secret" not in repr(settings)
