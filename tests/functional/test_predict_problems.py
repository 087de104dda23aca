"""The predict API's answers to internal failures and unknown addresses."""

import logging

import pytest

from aisle.errors import (
    AisleError,
    BundleError,
    DataError,
    InvalidProductError,
    ObjectNotFoundError,
    StoreError,
)
from aisle.serving.predict.app import create_app

SECRET = "s3://bucket/secret: access denied"


@pytest.fixture
def failing_client(checked_client):
    """Give the function that makes a client of an API whose classifier fails."""

    def make(error):
        def classifier():
            raise error

        return checked_client(create_app(classifier))

    return make


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreError(SECRET), (503, "/problems/unavailable")),
        (ObjectNotFoundError(SECRET), (503, "/problems/unavailable")),
        (BundleError(SECRET), (503, "/problems/unavailable")),
        (AisleError(SECRET), (500, "/problems/internal")),
        (RuntimeError(SECRET), (500, "/problems/internal")),
        (RecursionError(SECRET), (500, "/problems/internal")),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/v1/model", "/v1/categories"])
def test_our_failure_is_logged_and_not_told(failing_client, caplog, path, error, told):
    """An internal failure gives the client a fixed sentence, and its cause is logged once."""
    with caplog.at_level(logging.ERROR):
        answer = failing_client(error).get(path)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == told
    assert "try again in a minute" in problem["detail"]
    assert "secret" not in answer.text
    (record,) = caplog.records
    assert record.exc_info[1] is error
    assert path in record.getMessage()


def test_unavailable_says_when_to_come_back(failing_client):
    """A 503 has a Retry-After header."""
    answer = failing_client(StoreError(SECRET)).post("/v1/predict", json={"name": "tv"})
    assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (DataError("The product has no words; give it some."), []),
        (InvalidProductError("The name has no words; give it some.", field="name"), ["name"]),
    ],
)
def test_data_error_of_the_library_is_told(failing_client, caplog, error, fields):
    """The library's error about the client's own data reaches the client, as a 4xx."""
    answer = failing_client(error).post("/v1/predict", json={"name": "tv"})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/invalid-input")
    assert problem["detail"] == str(error)
    assert [error["field"] for error in problem.get("errors", [])] == fields
    assert caplog.records == []


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/", "/"),
        ("/v1", "/v1"),
        ("/v1/predict/", "/v1/predict/"),
        ("/v1/docs/other.js", "/v1/docs/other.js"),
        ("/v1/docs/../index.html", "/v1/index.html"),
        ("/v1/é x?q=1", "/v1/%C3%A9%20x"),
        ("/docs", "/docs"),
        ("/openapi.json", "/openapi.json"),
    ],
)
def test_unknown_address_is_not_found(client, path, instance):
    """An unknown address is a 404 that names it and where to look."""
    answer = client.get(path)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (404, "/problems/not-found")
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["instance"] == instance
    assert "/v1/docs" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/predict", "POST"),
        ("PUT", "/v1/predict/batch", "POST"),
        ("POST", "/v1/model", "GET"),
        ("DELETE", "/healthz", "GET"),
    ],
)
def test_other_method_is_refused(checked_client, client, method, path, allowed):
    """A wrong method is a 405 that names the right one."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert answer.headers["allow"] == allowed
    assert allowed in answer.json()["detail"]


def test_failure_after_the_answer_began_is_raised(client):
    """An error after the response has started is left to the server."""

    async def streaming(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(SECRET)

    client.app.mount("/stream", streaming)
    with pytest.raises(RuntimeError, match="secret"):
        client.get("/stream/1")


def test_the_log_names_the_route_and_not_the_path(client, caplog):
    """The log of a failure has nothing that the client wrote into the address."""

    @client.app.get("/shelves/{shelf}", include_in_schema=False)
    def fail(shelf):
        raise StoreError(SECRET)

    with caplog.at_level(logging.ERROR):
        assert client.get("/shelves/private").status_code == 503
    assert "GET /shelves/{shelf} answered 503" in caplog.text
    assert "private" not in caplog.text
