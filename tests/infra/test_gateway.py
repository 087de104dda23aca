"""API Gateway as the template declares it: who may call it, and its own error responses."""

import json
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from aisle.access import api_keys, scopes
from aisle.access.usage_plans import usual_limits
from aisle.errors import ConfigurationError, NotAuthenticatedError
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
    """Give the OpenAPI description that API Gateway gets."""
    return root["Resources"]["Api"]["Properties"]["Body"]


@pytest.fixture
def routes(body):
    """Give each route with its security requirements."""
    return {
        f"{method.upper()} {path}": operation.get("security") or []
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
    }


def test_every_route_but_health_and_preflights_is_authorised(routes):
    """Every route except health and preflights needs the authorizer and a usage plan."""
    free = {route for route, security in routes.items() if not security}
    assert {route for route in free if not route.startswith("OPTIONS ")} == {"GET /healthz"}
    assert {route for route in routes if route not in free} == GUARDED
    for route in GUARDED:
        assert routes[route] == [{"KeyAuthorizer": []}, {"api_key": []}]


def test_routes_are_those_of_the_description(routes):
    """The gateway has the routes of the committed description and the docs, and no others."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in json.loads(DESCRIBED.read_text(encoding="utf-8"))["paths"].items()
        for method in operations
    }
    served = {route for route in routes if not route.startswith("OPTIONS ")}
    docs = {route for route in GUARDED if "/docs" in route or ".json" in route}
    assert served == described | docs


def test_every_path_answers_preflights_for_the_origin(body):
    """Each path has a preflight that names the allowed origin and the key's header."""
    for operations in body["paths"].values():
        preflight = json.dumps(operations["options"])
        assert "'https://nobody.invalid'" in preflight
        assert api_keys.HEADER in preflight


def test_docs_are_in_every_keys_policy():
    """The guarded routes outside all scopes are the docs, which every key opens."""
    docs = {route.replace("*", "{asset}") for route in scopes.DOCS}
    assert docs == GUARDED - {route for routes in scopes.ROUTES.values() for route in routes}


def test_the_authorizer_gets_the_key(root, body):
    """The gateway passes the key's header to the authorizer, and caches the result for a minute."""
    definition = body["securityDefinitions"]["KeyAuthorizer"]
    authorizer = definition["x-amazon-apigateway-authorizer"]
    assert authorizer["identitySource"] == f"method.request.header.{api_keys.HEADER}"
    assert (authorizer["type"], authorizer["authorizerResultTtlInSeconds"]) == ("request", 60)
    assert root["Resources"]["Api"]["Properties"]["ApiKeySourceType"] == "AUTHORIZER"


def test_no_type_is_binary(root):
    """The API has no binary types, which would break the mocked preflights."""
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


@pytest.fixture
def gateway_response(body):
    """Give the function that returns an error response of the gateway: headers and problem."""

    def parse(name):
        response = body["x-amazon-apigateway-gateway-responses"][name]
        headers = {
            key.removeprefix("gatewayresponse.header."): value.strip("'")
            for key, value in response["responseParameters"].items()
        }
        problem = Problem.model_validate_json(
            response["responseTemplates"]["application/json"], extra="forbid"
        )
        return response["statusCode"], headers, problem

    return parse


def test_each_error_response_of_the_gateway_is_tested_here(body):
    """The template has the error responses above, and no others."""
    assert {*body["x-amazon-apigateway-gateway-responses"]} == {*RESPONSES}


@pytest.mark.parametrize(("name", "status"), [*RESPONSES.items()])
def test_the_gateway_answers_with_problems(gateway_response, name, status):
    """The gateway's own errors are problems of the API's kinds, and pages may read them."""
    status_code, headers, problem = gateway_response(name)
    (kind,) = [kind for kind in KINDS if kind.type == problem.type]
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Access-Control-Allow-Origin"] == "https://nobody.invalid"
    assert (problem.title, problem.status) == (kind.title, kind.status)
    assert status_code == str(problem.status) == str(status)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", HTTPException(404)),
        ("AUTHORIZER_FAILURE", ConfigurationError("no store")),
        ("INTEGRATION_FAILURE", ConfigurationError("no store")),
        ("INTEGRATION_TIMEOUT", ConfigurationError("no store")),
        ("DEFAULT_5XX", ValueError("a bug")),
    ],
)
def test_the_gateway_gives_the_details_of_the_functions(gateway_response, name, error):
    """Where the functions have a fixed detail for an error, the gateway has the same."""
    _, headers, problem = gateway_response(name)
    expected = errors.answer(error)
    assert problem.type == expected.kind.type
    assert problem.detail == expected.detail
    assert (expected.headers or {}).items() <= headers.items()


def test_the_gateway_names_the_scheme_of_authentication(gateway_response):
    """A 401 of the gateway has the WWW-Authenticate header of the functions."""
    _, headers, _ = gateway_response("UNAUTHORIZED")
    assert errors.answer(NotAuthenticatedError("no key")).headers.items() <= headers.items()


def test_the_stage_logs_traces_and_throttles(root):
    """The stage has an access log in JSON, X-Ray, and a limit for all clients together."""
    stage = root["Resources"]["ApiliveStage"]["Properties"]
    fields = json.loads(stage["AccessLogSetting"]["Format"])
    assert stage["AccessLogSetting"]["DestinationArn"] == "<ApiLogs.Arn>"
    assert stage["TracingEnabled"] is True
    assert fields["client"] == "$context.authorizer.client"
    assert not {"$context.identity.sourceIp", "$context.path"} & {*fields.values()}
    (limits,) = stage["MethodSettings"]
    assert (limits["ResourcePath"], limits["HttpMethod"]) == ("/*", "*")
    assert limits["ThrottlingRateLimit"] > usual_limits("shop").rate


def test_the_page_has_the_lowest_limits():
    """By default, all visitors of the page together have lower limits than any client."""
    page, shop = usual_limits("site"), usual_limits("shop")
    assert (page.rate, page.burst, page.quota) < (shop.rate, shop.burst, shop.quota)
    assert page.burst < shop.burst
    assert page.quota < shop.quota
