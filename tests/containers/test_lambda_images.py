"""The functions' images by themselves, with Lambda's restrictions, through the emulator.

They do not prove how Lambda's own sandbox, processor and permissions behave.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aisle.access import api_keys
from aisle.model import bundle
from tests.containers.commands import api_event, run

pytestmark = pytest.mark.containers

BASE = "public.ecr.aws/lambda/python:3.12"
MEGABYTE = 1_000_000
NO_AWS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
GOPRO = {"name": "GoPro - Camera Mount Accessory Kit - Black"}
METHOD = "arn:aws:execute-api:us-east-1:123456789012:abcdef/live/POST/v1/predict"


def body(response):
    """Parse the body of a response to API Gateway."""
    return json.loads(response["body"])


@pytest.fixture(scope="module")
def predict(start_lambda):
    """Start the predict function without any setting."""
    return start_lambda("predict")


@pytest.fixture(scope="module")
def feedback(start_lambda):
    """Start the feedback function on a folder in the one writable place."""
    return start_lambda("feedback", AISLE_STORE="file:///tmp/aisle")


def test_the_predict_image_answers(predict):
    """Read-only, unprivileged and without settings, it predicts with the packaged model."""
    response = predict(api_event("POST", "/v1/predict", GOPRO))
    assert response["statusCode"] == 200
    assert body(response)["model_version"] == bundle.read(bundle.PACKAGED).manifest.model_version
    assert body(response)["category"]["path"][0]["name"] == "Cameras & Camcorders"


def test_the_predict_image_answers_a_batch(predict):
    """A batch of a hundred products fits into its memory."""
    response = predict(api_event("POST", "/v1/predict/batch", {"products": [GOPRO] * 100}))
    assert response["statusCode"] == 200
    assert len(body(response)["results"]) == 100


def test_the_predict_image_serves_the_docs(predict):
    """The image has the assets of the documentation."""
    assert predict(api_event("GET", "/v1/docs/swagger-ui.css"))["statusCode"] == 200


def test_the_predict_image_refuses_bad_input(predict):
    """Bad input gets a problem response, not a failure of the function."""
    response = predict(api_event("POST", "/v1/predict", {"name": 1}))
    assert response["statusCode"] == 422
    assert body(response)["type"] == "/problems/invalid-input"


def test_no_product_text_is_logged(predict):
    """The log of a prediction has neither the product's text nor the evidence."""
    predict(api_event("POST", "/v1/predict", {"name": "Zanzibar camera"}))
    logs = predict.container.logs()
    assert "Answered." in logs
    assert "zanzibar" not in logs.lower()


@pytest.mark.parametrize(
    "settings",
    [
        {"AISLE_STORE": "s3://aisle", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
        {"AISLE_STORE": "s3://aisle", "AWS_ACCESS_KEY_ID": ""},
        {"AISLE_STORE": "file:///nowhere"},
    ],
)
def test_a_store_out_of_reach_leaves_the_packaged_model(start_lambda, settings):
    """Without access to the store, the packaged model serves and the log names the store."""
    function = start_lambda("predict", **(NO_AWS | settings))
    response = function(api_event("POST", "/v1/predict", GOPRO))
    assert response["statusCode"] == 200
    assert settings["AISLE_STORE"].rpartition("/")[2] in function.container.logs()


def test_an_invalid_setting_is_a_503_that_the_log_explains(start_lambda):
    """The log names an invalid setting; the function still answers."""
    function = start_lambda("predict", AISLE_POLL_SECONDS="soon")
    assert function(api_event("GET", "/healthz"))["statusCode"] == 503
    assert "AISLE_POLL_SECONDS" in function.container.logs()


def test_the_feedback_image_records_feedback(feedback):
    """Read-only and unprivileged, it records an event once."""
    correction = {"product": GOPRO, "category": {"id": "pcmcat329700050017"}}
    responses = [feedback(api_event("POST", "/v1/feedback", correction)) for _ in range(2)]
    assert [response["statusCode"] for response in responses] == [201, 200]


def test_the_feedback_image_is_the_authorizers_too(start_lambda):
    """With another command it checks keys, here those in its environment."""
    now = datetime.now(UTC)
    key, record = api_keys.new_key("shop", ["predict"], now=now, lifetime=timedelta(days=1))
    records = api_keys.dump((record,)).decode()
    authorizer = start_lambda("feedback", "authorizer.handler.handler", AISLE_KEYS=records)
    allowed = authorizer({"methodArn": METHOD, "headers": {"x-api-key": key}})
    refused = authorizer({"methodArn": METHOD, "headers": {"x-api-key": "aisle_" + "0" * 64}})
    assert allowed["context"] == {"client": "shop", "scopes": "predict"}
    assert refused["errorMessage"] == "Unauthorized"
    assert key not in authorizer.container.logs()


def test_the_feedback_image_decides_on_retraining_too(start_lambda):
    """With another command it counts the feedback, and submits no job if there is none."""
    retrain = start_lambda(
        "feedback",
        "retrain.handler.handler",
        AISLE_JOB_QUEUE="q",
        AISLE_JOB_DEFINITION="d",
        AISLE_STORE="/tmp/store",  # noqa: S108  # the only writable place in the container
    )
    decision = retrain({"source": "aws.events"})
    assert (decision["started"], decision["why"][:8]) == (False, "Not due:")


@pytest.mark.parametrize(
    ("target", "package"),
    [
        *(("predict", name) for name in ("sklearn", "scipy", "onnx", "matplotlib", "typer")),
        *(("predict", name) for name in ("aisle.catalogue", "aisle.cli", "aisle_training")),
        *(("feedback", name) for name in ("numpy", "onnxruntime", "fastapi_swagger", "predict")),
        *(("feedback", name) for name in ("aisle.catalogue", "aisle.cli", "aisle.model")),
        *(("training", name) for name in ("jupyterlab", "aisle_benchmark", "mangum", "predict")),
    ],
)
def test_an_image_has_only_what_it_needs(image, target, package):
    """An image lacks the packages that only other images need."""
    code = f"import importlib.util; print(importlib.util.find_spec({package!r}))"
    python = ["docker", "run", "--rm", "--entrypoint", "python", image(target)]
    assert run(*python, "-c", code).stdout == "None\n"


def test_the_training_image_can_load_lightgbm(image):
    """The image has the OpenMP library that LightGBM needs, and LightGBM loads if installed."""
    code = (
        "import ctypes, importlib.util as util; ctypes.CDLL('libgomp.so.1'); "
        "util.find_spec('lightgbm') and __import__('lightgbm')"
    )
    run("docker", "run", "--rm", "--entrypoint", "python", image("training"), "-c", code)


@pytest.mark.parametrize(("target", "megabytes"), [("predict", 240), ("feedback", 90)])
def test_an_image_adds_little_to_its_base(image, target, megabytes):
    """The size that a cold start downloads stays small."""
    size, base = (
        int(run("docker", "image", "inspect", "--format", "{{.Size}}", name).stdout)
        for name in (image(target), BASE)
    )
    assert size - base <= megabytes * MEGABYTE
