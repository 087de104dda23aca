"""Which routes of the template an API key has to open, before anything is built of it."""

from pathlib import Path

import pytest
import yaml

from aisle import auth

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
OPEN = {"GET /healthz", "GET /v1/openapi.json", "GET /v1/docs", "GET /v1/docs/{asset}"}


class Loader(yaml.SafeLoader):
    """Read a template; of `!Ref X` and its like, keep X."""


Loader.add_multi_constructor("!", lambda _loader, _tag, node: node.value)


@pytest.fixture(scope="module")
def resources():
    """Give the template's resources."""
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader)["Resources"]  # noqa: S506  # a safe one


@pytest.fixture(scope="module")
def routes(resources):
    """Give each route of every function, with what it says of who may ask."""
    events = [
        event["Properties"]
        for resource in resources.values()
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    return {f"{event['Method']} {event['Path']}": event.get("Auth") for event in events}


def test_the_authorizer_is_everyones_who_says_nothing(resources):
    """The API's default asks the authorizer's function, about the header that keys are sent in."""
    asked = resources["Api"]["Properties"]["Auth"]
    authorizer = asked["Authorizers"][asked["DefaultAuthorizer"]]
    assert authorizer["FunctionArn"] == "AuthorizerFunction.Arn"
    assert authorizer["FunctionPayloadType"] == "REQUEST"
    assert authorizer["Identity"]["Headers"] == [auth.HEADER]


def test_a_preflight_needs_no_key(resources):
    """A browser asks what it may send before it sends the key."""
    assert resources["Api"]["Properties"]["Auth"]["AddDefaultAuthorizerToCorsPreflight"] is False


def test_only_health_and_documentation_are_open(routes):
    """No other route says that it needs no authorizer."""
    assert {route for route, who in routes.items() if who == {"Authorizer": "NONE"}} == OPEN


def test_each_route_of_a_scope_is_authorised(routes):
    """What a scope opens, and nothing besides, is left to the default."""
    guarded = {route for route, who in routes.items() if who is None}
    assert guarded == {route for opened in auth.ROUTES.values() for route in opened}
    assert guarded | OPEN == {*routes}
