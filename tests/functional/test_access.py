"""Who may use the API, and what everyone else is answered."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from aisle.access import api_keys, scopes
from aisle.errors import ConfigurationError, StoreError
from aisle.serving.http.access import KeyAccess, gateway_access
from aisle.serving.whole import whole_api
from aisle.store import FolderStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PRODUCT = {"name": "camera mount"}
BODIES = {
    "/v1/predict": PRODUCT,
    "/v1/predict/batch": {"products": [PRODUCT]},
    "/v1/feedback": {"product": PRODUCT, "category": {"id": "x"}},
    "/v1/feedback/batch": {"feedback": [{"product": PRODUCT, "category": {"id": "y"}}]},
}
GUARDED = [
    (scope, *route.replace("{version}", "packaged").split(" "))
    for scope in scopes.SCOPES
    for route in scopes.ROUTES[scope]
]
OPEN = ["/healthz", "/v1/docs", "/v1/docs/start.js", "/v1/openapi.json"]


def make(*scopes, lifetime=DAY):
    """Make a key of these scopes."""
    return api_keys.new_key("shop", scopes, now=NOW, lifetime=lifetime)


@pytest.fixture
def build(classifier, checked_client, tmp_path):
    """Give a function that makes a client of the whole API under an access."""

    def make_client(access):
        store = FolderStore(tmp_path)
        return checked_client(whole_api(lambda: classifier, lambda: store, access=access))

    return make_client


@pytest.fixture
def guarded(build):
    """Give a function that makes a client of an API that has these keys."""
    return lambda *records: build(KeyAccess(lambda: records, now=lambda: NOW))


@pytest.mark.parametrize(("scope", "method", "path"), GUARDED)
def test_key_opens_its_scope(guarded, scope, method, path):
    """A key in the header, whose name has any case, opens the routes of its scope."""
    key, record = make(scope)
    client = guarded(record)
    for header in ("X-Api-Key", "x-api-key"):
        answer = client.request(method, path, json=BODIES.get(path), headers={header: key})
        assert answer.status_code in {200, 201}


@pytest.mark.parametrize(("scope", "method", "path"), GUARDED)
def test_no_route_without_a_key(guarded, scope, method, path):
    """Without a key every route is closed, with a challenge and a sentence that says what to do."""
    answer = guarded(make(scope)[1]).request(method, path, json=BODIES.get(path))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["www-authenticate"] == "ApiKey"
    assert "X-Api-Key" in problem["detail"]


@pytest.mark.parametrize(("scope", "method", "path"), GUARDED)
def test_other_scope_is_not_enough(guarded, scope, method, path):
    """A valid key of the other scope is refused with 403."""
    (other,) = {*scopes.SCOPES} - {scope}
    key, record = make(other)
    answer = guarded(record).request(
        method, path, json=BODIES.get(path), headers={"X-Api-Key": key}
    )
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert scope in answer.json()["detail"]


@pytest.mark.parametrize("path", OPEN)
def test_what_stays_open(guarded, path):
    """Health and documentation need no key."""
    assert guarded().get(path).status_code == 200


def test_exactly_the_described_routes_are_guarded(guarded):
    """The table of scopes, the OpenAPI document and the routes agree on which routes need a key."""
    described = guarded().get("/v1/openapi.json").json()
    secured = {
        f"{method.upper()} {path}"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == [{"ApiKey": []}]
    }
    assert secured == {route for routes in scopes.ROUTES.values() for route in routes}
    assert described["components"]["securitySchemes"]["ApiKey"]["name"] == "X-Api-Key"
    unsecured = {*described["paths"]} - {route.split(" ")[1] for route in secured}
    assert unsecured == {"/healthz"}


@pytest.mark.parametrize("place", ["query", "bearer", "cookie"])
def test_key_elsewhere_is_no_key(guarded, place):
    """A key in the address, a cookie or another header does not count."""
    key, record = make("predict")
    sent = {
        "query": {"params": {"api_key": key, "X-Api-Key": key}},
        "bearer": {"headers": {"Authorization": f"Bearer {key}"}},
        "cookie": {"headers": {"Cookie": f"X-Api-Key={key}"}},
    }
    assert guarded(record).get("/v1/model", **sent[place]).status_code == 401


@pytest.mark.parametrize("content", [b"{", b"", b"[" * 100_000])
def test_body_is_not_read_before_the_key(guarded, content):
    """A request without a key is not told what is wrong with its body."""
    headers = {"Content-Type": "application/json"}
    answer = guarded().post("/v1/predict", content=content, headers=headers)
    assert answer.status_code == 401


def test_key_is_in_no_answer_and_no_log(guarded, caplog):
    """A key, valid or not, is neither repeated in a response nor logged."""
    key, record = make("predict")
    client = guarded(record)
    with caplog.at_level(logging.DEBUG):
        answers = [
            client.get("/v1/model", headers={"X-Api-Key": sent}) for sent in (key, key[:-1] + "x")
        ]
    said = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 401]
    assert key[6:60] not in said


@pytest.mark.parametrize("error", [StoreError("no bucket"), ConfigurationError("malformed")])
def test_keys_that_cannot_be_read_open_nothing(build, error, caplog):
    """Where the keys cannot be read, every request is refused, and the log has the cause."""

    def keys():
        raise error

    answer = build(KeyAccess(keys)).post("/v1/predict", json=PRODUCT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert str(error) in caplog.text


def test_open_until_there_is_a_key(build):
    """Where allowed, the API is open until there is a key; losing the key does not reopen it."""
    key, record = make("predict")
    known = []
    client = build(KeyAccess(lambda: tuple(known), open_without_keys=True, now=lambda: NOW))
    statuses = [client.get("/v1/model").status_code]
    known.append(record)
    statuses.append(client.get("/v1/model").status_code)
    statuses.append(client.get("/v1/model", headers={"X-Api-Key": key}).status_code)
    known.clear()
    statuses.append(client.get("/v1/model").status_code)
    assert statuses == [200, 401, 200, 401]


@pytest.mark.parametrize(
    ("authorizer", "status"),
    [
        ({"client": "shop", "scopes": "predict"}, 200),
        ({"client": "shop", "scopes": "feedback predict"}, 200),
        ({"client": "shop", "scopes": "feedback"}, 403),
        ({"client": "shop"}, 403),
        ({"scopes": "predict"}, 401),
        ({}, 401),
        (None, 401),
    ],
)
def test_behind_the_gateway_its_authorizer_is_believed(build, authorizer, status):
    """The authorizer's result decides; a request that bypassed it is refused."""
    client = build(gateway_access)

    class Gateway:
        """Pass requests on as Mangum does, with the event they came in."""

        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            event = {"requestContext": {"authorizer": authorizer}}
            await self.app(scope | {"aws.event": event}, receive, send)

    client.app.add_middleware(Gateway)
    key = {"X-Api-Key": "aisle_" + "0" * 64}
    assert client.get("/v1/model", headers=key).status_code == status
