"""The functions' real handlers, with the packaged model, on events from API Gateway."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aisle.access import api_keys
from aisle.model import bundle
from aisle.model.bundle import LINEAR
from aisle.registry import bundles
from aisle.registry.pointer import Pointer, write_pointer
from aisle.store import FolderStore, layout
from tests.lambda_runtime import call, event

DESCRIBED = json.loads(
    (Path(__file__).parents[2] / "infra" / "openapi.json").read_text(encoding="utf-8")
)
GOPRO = "GoPro - Camera Mount Accessory Kit - Black"
SITE = "https://demo.example"
SHAPES = [
    "predict",
    "predict_base64",
    "predict_through_cloudfront",
    "predict_sam_local",
    "predict_batch",
    "categories",
    "model",
    "health",
]


def body(answer):
    """Parse a response's body, which is plain text."""
    assert answer["isBase64Encoded"] is False
    return json.loads(answer["body"])


@pytest.fixture
def check(find_faults):
    """Give the function that checks a response against the committed OpenAPI document."""

    def do(asked, answer):
        operation = DESCRIBED["paths"][asked["path"]][asked["httpMethod"].lower()]
        content = operation["responses"][str(answer["statusCode"])]["content"]
        schema = content[answer["headers"]["content-type"]]["schema"]
        assert list(find_faults(body(answer), schema, DESCRIBED)) == []

    return do


@pytest.fixture(scope="module")
def predicted():
    """Send the predict function one event of each shape; give events and responses by name."""
    events = [event(name) for name in SHAPES]
    calls = call("predict.handler", *events)
    return dict(zip(SHAPES, zip(events, calls.answers, strict=True), strict=True)), calls


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_answered_as_described(predicted, check, name):
    """Each recorded event gets a 200 that fits the committed OpenAPI document."""
    asked, answer = predicted[0][name]
    assert answer["statusCode"] == 200
    check(asked, answer)


def test_prediction_is_that_of_the_packaged_model(predicted):
    """The packaged model predicts a camera accessory for the example."""
    prediction = body(predicted[0]["predict"][1])
    assert prediction["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert prediction["model_version"] == bundle.read(bundle.PACKAGED).manifest.model_version
    assert len(prediction["alternatives"]) == 2


def test_stage_and_cloudfront_change_nothing(predicted):
    """The same product has the same prediction, with a stage in the context or without."""
    ways = ["predict", "predict_through_cloudfront", "predict_sam_local"]
    assert len({body(predicted[0][way][1])["prediction_id"] for way in ways}) == 1


def test_query_arrives(predicted):
    """Query parameters reach the route."""
    page = body(predicted[0]["categories"][1])
    assert len(page["items"]) == 2


def test_bad_product_of_a_batch_fails_alone(predicted):
    """In a batch, the product without words has an error and the others a prediction."""
    results = body(predicted[0]["predict_batch"][1])["results"]
    assert [sorted(result) for result in results] == [["prediction"], ["error"], ["prediction"]]


def test_metrics_say_what_was_predicted(predicted):
    """Predictions, confidence, review share, cold start and failures are counted once each."""
    _, calls = predicted
    metrics = calls.metrics
    assert sum(metrics["Predictions"]) == 6
    assert len(metrics["Confidence"]) == len(metrics["NeedsReview"]) == 6
    assert all(0 < confidence <= 1 for confidence in metrics["Confidence"])
    assert {*metrics["NeedsReview"]} <= {0, 1}
    assert metrics["ColdStart"] == [1]
    assert metrics["ServerErrors"] == [0] * 8
    version = bundle.read(bundle.PACKAGED).manifest.model_version
    assert {line["model_version"] for line in calls.logs if "Confidence" in line} == {version}


def test_metrics_of_a_full_batch():
    """Each of a hundred predictions is in the metrics, as many as one line may hold."""
    products = {"products": [{"name": f"tv {at}"} for at in range(100)]}
    metrics = call("predict.handler", event("predict_batch", body=json.dumps(products))).metrics
    assert metrics["Predictions"] == [100]
    assert len(metrics["Confidence"]) == len(metrics["NeedsReview"]) == 100


def test_x_ray_does_no_harm():
    """Where Lambda names an X-Ray daemon, the function answers whether it listens or not."""
    x_ray = {
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_X_AMZN_TRACE_ID": (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        ),
    }
    calls = call("predict.handler", event("health"), event("health"), **x_ray)
    assert [answer["statusCode"] for answer in calls.answers] == [200, 200]
    assert "Subsegment" not in calls.text


def test_each_request_is_one_line_with_its_id(predicted):
    """Each request is one line of JSON with the gateway's request id, its route and its client."""
    _, calls = predicted
    lines = [line for line in calls.messages("INFO") if "status" in line]
    assert [line["route"] for line in lines].count("/v1/predict") == 4
    assert {line["correlation_id"] for line in lines} == {
        event("predict")["requestContext"]["requestId"]
    }
    assert {line["client"] for line in lines} == {"shop", "none"}


def test_nothing_private_is_logged(predicted):
    """No product text and no key is in the log, nor any event."""
    _, calls = predicted
    assert calls.text
    for private in ("GoPro", "étui", "USB-C", "aisle_0000", "203.0.113.7"):
        assert private not in calls.text


def test_client_names_its_request(predicted):
    """A client's own correlation id is used and sent back where it is fit for a log."""
    ids = ["my-request.7", 'bad"id\n', "x" * 129]
    events = [event("health", multiValueHeaders={"X-Correlation-Id": [own_id]}) for own_id in ids]
    calls = call("predict.handler", *events)
    returned = [answer["headers"]["x-correlation-id"] for answer in calls.answers]
    gateway = event("health")["requestContext"]["requestId"]
    assert returned == ["my-request.7", gateway, gateway]
    lines = [line for line in calls.messages("INFO") if "status" in line]
    assert [line["correlation_id"] for line in lines] == returned


def changed_context(name, **authorizer):
    """Read an event and replace its authorizer's context."""
    request = event(name)
    return request | {"requestContext": request["requestContext"] | {"authorizer": authorizer}}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (event("predict", body="{"), 400),
        (changed_context("predict"), 401),
        (changed_context("predict", client="shop", scopes="feedback"), 403),
        (event("predict", body=json.dumps({"name": "x" * 500, "description": "x" * 600})), 413),
        (event("predict", multiValueHeaders={"Content-Type": ["text/plain"]}), 415),
        (event("predict", body='{"name": 5}'), 422),
    ],
)
def test_problems_are_as_described(check, asked, status):
    """A bad request gets a problem that fits the committed OpenAPI document."""
    (answer,) = call("predict.handler", asked, AISLE_MAX_BODY_BYTES="1000").answers
    assert answer["statusCode"] == status
    assert answer["headers"]["content-type"] == "application/problem+json"
    check(asked, answer)


def test_unhandled_error_is_a_problem_and_its_cause_in_the_log(check):
    """A bug gives the client a fixed sentence; the log has the error, the metric counts it."""
    asked = event("predict")
    spoil = "from aisle.model.classifier import Classifier as C; C.predict = lambda *_, **__: 1 / 0"
    calls = call("predict.handler", asked, setup=spoil)
    (answer,) = calls.answers
    assert answer["statusCode"] == 500
    check(asked, answer)
    assert "division" not in answer["body"]
    (line,) = calls.messages("ERROR")
    assert "ZeroDivisionError" in line["exception"]
    assert line["correlation_id"] == answer["headers"]["x-correlation-id"]
    assert calls.metrics["ServerErrors"] == [1]
    assert "GoPro" not in calls.text


def test_unknown_route_is_a_problem():
    """An unknown route is a 404 in the problem format."""
    (answer,) = call("predict.handler", event("unknown_route")).answers
    assert (answer["statusCode"], body(answer)["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("module", ["predict.handler", "feedback.handler"])
def test_preflight_is_answered_for_the_site(module, tmp_path):
    """The configured origin passes the preflight without a key, with the headers it needs."""
    settings = {"AISLE_CORS_ORIGINS": SITE, "AISLE_STORE": str(tmp_path)}
    (answer,) = call(module, event("preflight"), **settings).answers
    headers = answer["headers"]
    assert answer["statusCode"] == 200
    assert headers["access-control-allow-origin"] == SITE
    assert "X-Api-Key" in headers["access-control-allow-headers"]
    assert "POST" in headers["access-control-allow-methods"]


def test_problem_can_be_read_by_the_site():
    """An error too has the CORS header for the site, and not for another origin."""
    asked = [
        event("predict", body="{", multiValueHeaders={"Origin": [origin]})
        for origin in (SITE, "https://evil.example")
    ]
    answers = call("predict.handler", *asked, AISLE_CORS_ORIGINS=SITE).answers
    assert [a["headers"].get("access-control-allow-origin") for a in answers] == [SITE, None]


def test_feedback_is_kept(check, tmp_path):
    """The feedback function stores an event once, with the client from the authorizer."""
    asked = event("feedback")
    calls = call("feedback.handler", asked, asked, AISLE_STORE=str(tmp_path))
    assert [answer["statusCode"] for answer in calls.answers] == [201, 200]
    for answer in calls.answers:
        check(asked, answer)
    store = FolderStore(tmp_path)
    (key,) = store.list("feedback/")
    kept = json.loads(store.get(key).data)
    assert (kept["client"], kept["category"]) == ("shop", {"id": "pcmcat329700050017"})
    assert calls.metrics["Feedback"] == [1, 1]
    assert calls.metrics["FeedbackRepeated"] == [0, 1]
    assert "GoPro" not in calls.text
    assert "chest" not in calls.text


NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "address given was ''"),
        ({"AISLE_STORE": "ftp://shelf"}, "ftp://shelf"),
        ({"AISLE_STORE": "s3://shelf"} | NOWHERE, "bucket 'shelf'"),
        ({"AISLE_STORE": "/proc/nowhere"}, "/proc/nowhere"),
        ({"AISLE_MAX_BODY_BYTES": "many"}, "AISLE_MAX_BODY_BYTES"),
    ],
)
def test_feedback_with_a_bad_configuration(check, settings, named):
    """Without a writable store, each request is a 503, and the log names the cause."""
    asked = event("feedback")
    calls = call("feedback.handler", asked, asked, **settings)
    for answer in calls.answers:
        assert answer["statusCode"] == 503
        check(asked, answer)
    causes = [line["exception"] for line in calls.messages("ERROR")]
    assert [named in cause for cause in causes] == [True, True]


@pytest.mark.parametrize(
    ("settings", "status", "named"),
    [
        ({"AISLE_STORE": "ftp://shelf"}, 200, "ftp://shelf"),
        ({"AISLE_STORE": "s3://shelf"} | NOWHERE, 200, "bucket 'shelf'"),
        ({"AISLE_STORE": "/nowhere"}, 200, "models/current.json"),
        ({"AISLE_MAX_BODY_BYTES": "0"}, 503, "AISLE_MAX_BODY_BYTES"),
    ],
)
def test_predict_with_a_bad_configuration(check, settings, status, named):
    """Without a usable store the packaged model serves, and the log names the cause."""
    asked = event("predict")
    calls = call("predict.handler", asked, **settings)
    assert [answer["statusCode"] for answer in calls.answers] == [status]
    check(asked, calls.answers[0])
    assert named in calls.text


def test_published_model_serves_and_a_bad_one_is_refused(made_up_bundle, tmp_path):
    """A published model serves from the start; a damaged one is refused, counted and named."""
    store = FolderStore(tmp_path)
    bundles.upload_bundle(store, made_up_bundle)
    version = made_up_bundle.manifest.model_version
    write_pointer(store, Pointer(version, "", ""), replacing=None)
    good = call("predict.handler", event("health"), AISLE_STORE=str(tmp_path))
    assert body(good.answers[0])["model_version"] == version
    assert good.metrics["ModelSwitched"] == [1]

    store.put(layout.bundle_file(version, LINEAR), b"spoilt")
    bad = call("predict.handler", event("health"), AISLE_STORE=str(tmp_path))
    packaged = bundle.read(bundle.PACKAGED).manifest.model_version
    assert body(bad.answers[0])["model_version"] == packaged
    assert bad.metrics["ModelRefused"] == [1]
    (line,) = bad.messages("ERROR")
    assert LINEAR in line["exception"]
    assert version in line["message"]


def ask_authorizer(key, **settings):
    """Ask the authorizer whether a key is good."""
    asked = event("authorizer", headers={"x-api-key": key})
    return call("authorizer.handler", asked, **settings)


@pytest.fixture
def key():
    """Make a key, good for a day."""
    return api_keys.new_key("shop", ["predict"], now=datetime.now(UTC), lifetime=timedelta(days=1))


@pytest.mark.parametrize("place", ["store", "variable"])
def test_authorizer_lets_a_good_key_pass(key, tmp_path, place):
    """The authorizer knows the keys of the store, or of the variable, and logs none."""
    presented, record = key
    FolderStore(tmp_path).put(layout.api_keys(), api_keys.dump((record,)))
    where = {
        "store": {"AISLE_STORE": str(tmp_path), "AISLE_KEYS": ""},
        "variable": {"AISLE_KEYS": api_keys.dump((record,)).decode()},
    }
    calls = ask_authorizer(presented, **where[place])
    assert calls.answers[0]["context"] == {"client": "shop", "scopes": "predict"}
    assert presented not in calls.text


def test_authorizer_refuses_any_other_key(key, tmp_path):
    """Any other key is refused with the word that makes API Gateway answer 401, and not logged."""
    records = api_keys.dump((key[1],)).decode()
    other = "aisle_" + "1" * 64
    calls = ask_authorizer(other, AISLE_KEYS=records)
    assert calls.answers[0]["errorMessage"] == "Unauthorized"
    assert other not in calls.text


def test_authorizer_denies_in_sam_local(key):
    """In SAM's containers, where that word gives a 502, any other key gets a policy that denies."""
    presented, record = key
    settings = {"AISLE_KEYS": api_keys.dump((record,)).decode(), "AWS_SAM_LOCAL": "true"}
    (refused,) = ask_authorizer("aisle_" + "1" * 64, **settings).answers
    (statement,) = refused["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Resource"]) == (
        "Deny",
        [event("authorizer")["methodArn"]],
    )
    assert "context" not in refused
    (allowed,) = ask_authorizer(presented, **settings).answers
    assert allowed["context"]["client"] == "shop"


@pytest.mark.parametrize(
    "settings",
    [{}, {"AISLE_KEYS": "[{}]"}, {"AISLE_STORE": "s3://shelf"} | NOWHERE],
)
def test_authorizer_without_keys_opens_nothing(key, settings):
    """Where the keys cannot be read, the request is not let through."""
    (answer,) = ask_authorizer(key[0], **settings).answers
    assert answer["errorType"] in {
        "ConfigurationError",
        "StoreError",
        "StoreUnreachableError",
    }
    assert "policyDocument" not in answer
