"""API Gateway as it would be deployed: who may ask, and what it says itself."""

import json
from pathlib import Path

import pytest

from aisle.access import api_keys, scopes
from aisle.access.usage_plans import usual_limits
from aisle.serving.http import errors
from aisle.serving.http.application import DOCS_URL, OPENAPI_URL
from aisle.serving.http.problems import KINDS, Problem

DESCRIBED = Path(__file__).parents[2] / "infra" / "openapi.json"
GUARDED = {
    *(route for routes in scopes.ROUTES.values() for route in routes),
    f"GET {OPENAPI_URL}",
    f"GET {DOCS_URL}",
    f"GET {DOCS_URL}/{{asset}}",
}


@pytest.fixture
def body(root):
    """Give the description that API Gateway gets."""
    return root["Resources"]["Api"]["Properties"]["Body"]


@pytest.fixture
def routes(body):
    """Give each route with what it asks for."""
    return {
        f"{method.upper()} {path}": operation.get("security") or []
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
    }


def test_every_route_but_health_and_preflights_is_authorised(routes):
    """Each route asks the authorizer and counts for a usage plan; health and preflights do not."""
    free = {route for route, asks in routes.items() if not asks}
    assert {route for route in free if not route.startswith("OPTIONS ")} == {"GET /healthz"}
    assert {route for route in routes if route not in free} == GUARDED
    for route in GUARDED:
        assert routes[route] == [{"KeyAuthorizer": []}, {"api_key": []}]


def test_routes_are_those_of_the_description(routes):
    """What the committed description has, the gateway has, and nothing but the docs besides."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in json.loads(DESCRIBED.read_text(encoding="utf-8"))["paths"].items()
        for method in operations
    }
    asked = {route for route in routes if not route.startswith("OPTIONS ")}
    assert asked - described == {route for route in GUARDED if "/docs" in route or ".json" in route}
    assert described - asked == set()


def test_every_path_answers_preflights_for_the_origin(body):
    """Each path has a preflight that names the allowed origin and the key's header."""
    for operations in body["paths"].values():
        answer = json.dumps(operations["options"])
        assert "'https://nobody.invalid'" in answer
        assert api_keys.HEADER in answer


def test_docs_are_in_every_keys_policy():
    """What the gateway guards beyond the scopes' routes is what every key opens."""
    opened = {route.replace("*", "{asset}") for route in scopes.DOCS}
    assert opened == GUARDED - {route for routes in scopes.ROUTES.values() for route in routes}


def test_the_authorizer_is_asked_with_the_key(root, body):
    """The header that keys are sent in is what is asked about, once a minute."""
    asked = body["securityDefinitions"]["KeyAuthorizer"]["x-amazon-apigateway-authorizer"]
    assert asked["identitySource"] == f"method.request.header.{api_keys.HEADER}"
    assert (asked["type"], asked["authorizerResultTtlInSeconds"]) == ("request", 60)
    assert root["Resources"]["Api"]["Properties"]["ApiKeySourceType"] == "AUTHORIZER"


def test_no_type_is_binary(root):
    """Binary types would break the preflights, which are mocked."""
    assert "BinaryMediaTypes" not in root["Resources"]["Api"]["Properties"]
    assert "x-amazon-apigateway-binary-media-types" not in json.dumps(root)


RESPONSES = {
    "UNAUTHORIZED": 401,
    "INVALID_API_KEY": 403,
    "ACCESS_DENIED": 403,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "QUOTA_EXCEEDED": 429,
    "DEFAULT_4XX": 400,
    "AUTHORIZER_FAILURE": 503,
    "INTEGRATION_FAILURE": 503,
    "INTEGRATION_TIMEOUT": 503,
    "DEFAULT_5XX": 500,
}


def test_each_refusal_of_the_gateway_is_tested_here(body):
    """The responses that the template has are those below."""
    assert {*body["x-amazon-apigateway-gateway-responses"]} == {*RESPONSES}


@pytest.mark.parametrize(("name", "status"), [*RESPONSES.items()])
def test_the_gateway_refuses_as_the_functions_do(body, name, status):
    """What the gateway says itself is a problem of the API's own kinds, and pages may read it."""
    response = body["x-amazon-apigateway-gateway-responses"][name]
    headers = {
        key.removeprefix("gatewayresponse.header."): value
        for key, value in response["responseParameters"].items()
    }
    ((media_type, text),) = response["responseTemplates"].items()
    problem = Problem.model_validate_json(text, extra="forbid")
    (kind,) = [each for each in KINDS if each.type == problem.type]
    assert media_type == "application/json"
    assert headers["Content-Type"] == "'application/problem+json'"
    assert headers["Access-Control-Allow-Origin"] == "'https://nobody.invalid'"
    assert (problem.title, problem.status) == (kind.title, kind.status)
    assert response["statusCode"] == str(problem.status) == str(status)
    assert problem.detail == errors._FIXED.get(kind, problem.detail)
    for header, value in errors._HEADERS.get(kind, {}).items():
        assert headers[header] == f"'{value}'"


def test_the_stage_logs_traces_and_throttles(root):
    """The stage has an access log that can be read, X-Ray, and a limit for all together."""
    stage = root["Resources"]["ApiliveStage"]["Properties"]
    fields = json.loads(stage["AccessLogSetting"]["Format"])
    assert stage["AccessLogSetting"]["DestinationArn"] == "<ApiLogs.Arn>"
    assert stage["TracingEnabled"] is True
    assert fields["client"] == "$context.authorizer.client"
    assert not {"$context.identity.sourceIp", "$context.path"} & {*fields.values()}
    (limits,) = stage["MethodSettings"]
    assert (limits["ResourcePath"], limits["HttpMethod"]) == ("/*", "*")
    assert limits["ThrottlingRateLimit"] > usual_limits("shop").rate


def test_the_page_may_ask_the_least():
    """No client has less, unless somebody says so, than all visitors of the page together."""
    page, shop = usual_limits("site"), usual_limits("shop")
    assert (page.rate, page.burst, page.quota) < (shop.rate, shop.burst, shop.quota)
    assert page.burst < shop.burst
    assert page.quota < shop.quota
