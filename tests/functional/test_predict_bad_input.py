"""What the predict API answers to unusable input."""

import json

import pytest
from starlette.testclient import TestClient

from aisle.serving.predict.app import create_app
from predict.settings import PredictSettings

JSON = {"Content-Type": "application/json"}
TOO_LARGE = b'{"name": "' + b"x" * 6_000_000 + b'"}'

BAD_PRODUCTS = {
    "empty": ("{}", "name", "neither a letter nor a digit"),
    "empty-name": ('{"name": ""}', "name", "neither a letter nor a digit"),
    "whitespace": ('{"name": " \\t\\n\\u00a0"}', "name", "neither a letter nor a digit"),
    "punctuation": ('{"name": "?!", "description": "…"}', "name", "neither a letter nor a digit"),
    "only-markup": ('{"name": "<br>&nbsp;"}', "name", "neither a letter nor a digit"),
    "only-nul": ('{"name": "\\u0000"}', "name", "neither a letter nor a digit"),
    "only-price": ('{"price": 5}', "name", "neither a letter nor a digit"),
    "only-maker": ('{"manufacturer": "Sony"}', "name", "neither a letter nor a digit"),
    "long-name": (json.dumps({"name": "x" * 501}), "name", "shorten it to 500 characters"),
    "long-description": (
        json.dumps({"description": "x" * 20_001}),
        "description",
        "shorten it to 20,000 characters",
    ),
    "long-maker": (
        json.dumps({"name": "x", "manufacturer": "x" * 201}),
        "manufacturer",
        "shorten it to 200 characters",
    ),
    "surrogate": ('{"name": "\\ud800"}', "name", "has a lone surrogate"),
    "surrogate-within": ('{"description": "tv \\udfff"}', "description", "has a lone surrogate"),
    "number-as-name": ('{"name": 42}', "name", "must be text, in quotes; a number was given"),
    "bool-as-name": ('{"name": true}', "name", "must be text, in quotes; true or false was"),
    "list-as-name": ('{"name": ["tv"]}', "name", "must be text, in quotes; a list was given"),
    "object-as-maker": ('{"manufacturer": {}}', "manufacturer", "an object was given"),
    "negative-price": ('{"name": "tv", "price": -0.01}', "price", "must be 0 or more"),
    "nan-price": ('{"name": "tv", "price": NaN}', "price", "must be a finite number"),
    "infinite-price": ('{"name": "tv", "price": Infinity}', "price", "must be a finite number"),
    "overflowing-price": ('{"name": "tv", "price": 1e999}', "price", "must be a finite number"),
    "huge-price": (
        '{"name": "tv", "price": 1' + "0" * 400 + "}",
        "price",
        "must be a finite number",
    ),
    "text-as-price": ('{"name": "tv", "price": "5"}', "price", "without quotes; text was given"),
    "bool-as-price": ('{"name": "tv", "price": true}', "price", "true or false was given"),
    "unknown-field": ('{"name": "tv", "colour": "red"}', "colour", "is not a known field"),
}
BAD_TOP_K = {
    "top-k-0": ('{"name": "tv", "top_k": 0}', "top_k", "must be 1 or more"),
    "top-k-21": ('{"name": "tv", "top_k": 21}', "top_k", "must be 20 or less"),
    "top-k-text": ('{"name": "tv", "top_k": "x"}', "top_k", "must be a whole number"),
    "top-k-fraction": ('{"name": "tv", "top_k": 1.5}', "top_k", "must be a whole number"),
    "top-k-bool": ('{"name": "tv", "top_k": true}', "top_k", "must be a whole number"),
    "top-k-nan": ('{"name": "tv", "top_k": NaN}', "top_k", "must be a whole number"),
}
NO_OBJECTS = {
    "null": ("null", "body", "must be a JSON object, in curly braces; null was given"),
    "list": ('[{"name": "tv"}]', "body", "must be a JSON object, in curly braces; a list"),
    "text": ('"tv"', "body", "must be a JSON object, in curly braces; text"),
    "nan": ("NaN", "body", "must be a JSON object, in curly braces; a number"),
    "surrogate-field": ('{"\\ud800": 1}', "body", "has a lone surrogate"),
}
NOT_JSON = {
    "empty": (b"", "invalid-json", "is empty"),
    "blank": (b" \n", "invalid-json", "is empty"),
    "words": (b"a camera", "invalid-json", "line 1, column 1"),
    "cut": (b'{"name":\n "tv', "invalid-json", "line 2, column 2"),
    "single-quotes": (b"{'name': 'tv'}", "invalid-json", "line 1, column 2"),
    "two": (b"{}{}", "invalid-json", "line 1, column 3"),
    "latin-1": ('{"name": "café"}'.encode("latin-1"), "invalid-json", "is not UTF-8: byte 13"),
    "utf-16": ('{"name": "tv"}'.encode("utf-16"), "invalid-json", "is not UTF-8"),
    "raw-surrogate": (b'{"name": "\xed\xa0\x80"}', "invalid-json", "is not UTF-8"),
    "raw-nul": (b'{"name": "\x00"}', "invalid-json", "line 1, column 11"),
    "long-number": (b'{"price": ' + b"1" * 5000 + b"}", "invalid-json", "thousands of digits"),
    "deep-lists": (b"[" * 10_000 + b"]" * 10_000, "json-too-deep", "nested too deeply"),
    "deep-name": (
        b'{"name": ' * 10_000 + b"1" + b"}" * 10_000,
        "json-too-deep",
        "nested too deeply",
    ),
}


def _by_name(cases):
    return pytest.mark.parametrize(("body", "field", "sentence"), cases.values(), ids=cases.keys())


@_by_name(BAD_PRODUCTS | BAD_TOP_K | NO_OBJECTS)
def test_unusable_product_is_refused(client, classifier, body, field, sentence):
    """An unusable product is a 422 that names the field and says what to do."""
    answer = client.post("/v1/predict", content=body, headers=JSON)
    problem = answer.json()
    assert answer.status_code == problem["status"] == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "/problems/invalid-input"
    assert problem["instance"] == "/v1/predict"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert sentence in problem["errors"][0]["detail"]
    assert problem["detail"] == problem["errors"][0]["detail"]
    assert classifier.calls == []


@_by_name(BAD_PRODUCTS)
def test_unusable_product_spares_the_others(client, classifier, body, field, sentence):
    """In a batch, an unusable product is an error in its place, and the others are classified."""
    sent = f'{{"products": [{{"name": "camera"}}, {body}, {{"name": "speaker"}}]}}'
    answer = client.post("/v1/predict/batch", content=sent, headers=JSON)
    first, error, last = answer.json()["results"]
    assert answer.status_code == 200
    assert first["prediction"]["category"]["name"] == "Accessories"
    assert last["prediction"]["category"]["name"] == "Speakers"
    assert (error["error"]["index"], error["error"]["status"]) == (1, 422)
    assert [fault["field"] for fault in error["error"]["errors"]] == [field]
    assert sentence in error["error"]["detail"]
    assert classifier.calls == [2]


@pytest.mark.parametrize("item", ["null", "5", '"tv"', "[]", '{"\\ud800": 1}', '{"top_k": 1}'])
def test_batch_of_unusable_products_asks_no_model(client, classifier, item):
    """A batch without any usable product still has a result for each."""
    sent = f'{{"products": [{item}, {item}]}}'
    results = client.post("/v1/predict/batch", content=sent, headers=JSON).json()["results"]
    assert [result["error"]["index"] for result in results] == [0, 1]
    assert classifier.calls == []


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ("{}", "products", "is missing"),
        ('{"products": []}', "products", "must not be empty"),
        (json.dumps({"products": [{"name": "tv"}] * 101}), "products", "at most 100 items"),
        ('{"products": {"name": "tv"}}', "products", "must be a list"),
        ('{"products": null}', "products", "must be a list"),
        ('{"products": [{"name": "tv"}], "top_k": 21}', "top_k", "must be 20 or less"),
        ('{"products": [{"name": "tv"}], "name": "tv"}', "name", "is not a known field"),
        ("[]", "body", "must be a JSON object"),
    ],
)
def test_unusable_batch_is_refused(client, body, field, sentence):
    """A malformed batch is a 422 as a whole."""
    answer = client.post("/v1/predict/batch", content=body, headers=JSON)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert sentence in error["detail"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
@pytest.mark.parametrize(("body", "kind", "sentence"), NOT_JSON.values(), ids=NOT_JSON.keys())
def test_body_that_is_no_json_is_refused(client, path, body, kind, sentence):
    """A body that cannot be read as JSON is a 400 that says where and why."""
    answer = client.post(path, content=body, headers=JSON)
    problem = answer.json()
    assert answer.status_code == 400
    assert problem["type"] == f"/problems/{kind}"
    assert sentence in problem["detail"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "json"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_other_content_type_is_refused(client, path, headers):
    """A body with another media type or encoding is a 415 that says how to send it."""
    answer = client.post(path, content=b'{"name": "tv"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/unsupported-media-type"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (TOO_LARGE, {}),
        (iter([TOO_LARGE[:3_000_000], TOO_LARGE[3_000_000:]]), {}),
        (TOO_LARGE, {"Content-Length": "5"}),
        (b"{}", {"Content-Length": "9" * 5000}),
    ],
    ids=["declared", "chunked", "understated", "overstated"],
)
def test_large_body_is_refused(client, content, headers):
    """A body over 6 MB is a 413, whatever its Content-Length says."""
    answer = client.post("/v1/predict", content=content, headers=JSON | headers)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/body-too-large"
    assert "6 MB" in answer.json()["detail"]


def test_body_just_within_the_limit_is_read(classifier):
    """The limit is the largest body that is accepted."""
    body = b'{"name": "camera"}'
    app = create_app(lambda: classifier, PredictSettings(max_body_bytes=len(body)))
    client = TestClient(app)
    assert client.post("/v1/predict", content=body, headers=JSON).status_code == 200
    assert client.post("/v1/predict", content=body + b" ", headers=JSON).status_code == 413


def test_many_errors_are_cut(client):
    """For a thousand unknown fields, the response lists twenty."""
    sent = {f"{'x' * 100}{number}": 1 for number in range(1000)}
    problem = client.post("/v1/predict", json=sent).json()
    assert len(problem["errors"]) == 20
    assert "19 more" in problem["detail"]
    assert problem["errors"][0]["field"] == "x" * 60 + "…"


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("limit=0", "limit", "must be 1 or more"),
        ("limit=101", "limit", "must be 100 or less"),
        ("limit=ten", "limit", "must be a whole number"),
        ("limit=" + "1" * 5000, "limit", "must be"),
        ("offset=-1", "offset", "must be 0 or more"),
        ("ofset=1", "ofset", "is not a known field"),
        ("q=" + "x" * 201, "q", "shorten it to 200 characters"),
    ],
)
def test_unusable_query_is_refused(client, query, field, sentence):
    """An unusable query of the categories is a 422 that names the parameter."""
    answer = client.get(f"/v1/categories?{query}")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert sentence in error["detail"]
