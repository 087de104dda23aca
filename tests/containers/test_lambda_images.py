"""The functions' images by themselves, with less than Lambda gives them, through the emulator.

What is not proven: Lambda's own sandbox, its processor and its rights.
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


def body(answer):
    """Parse the body of an answer to API Gateway."""
    return json.loads(answer["body"])


@pytest.fixture(scope="module")
def predict(start_lambda):
    """Start the predict function with no setting at all."""
    return start_lambda("predict")


@pytest.fixture(scope="module")
def feedback(start_lambda):
    """Start the feedback function on a folder in the one place that can be written."""
    return start_lambda("feedback", AISLE_STORE="file:///tmp/aisle")


def test_the_predict_image_answers(predict):
    """Read-only, as nobody, without a setting, it predicts with the packaged model."""
    answer = predict(api_event("POST", "/v1/predict", GOPRO))
    assert answer["statusCode"] == 200
    assert body(answer)["model_version"] == bundle.read(bundle.PACKAGED).manifest.model_version
    assert body(answer)["category"]["path"][0]["name"] == "Cameras & Camcorders"


def test_the_predict_image_answers_a_batch(predict):
    """A hundred products at once fit its memory."""
    answer = predict(api_event("POST", "/v1/predict/batch", {"products": [GOPRO] * 100}))
    assert answer["statusCode"] == 200
    assert len(body(answer)["results"]) == 100


def test_the_predict_image_shows_the_docs(predict):
    """The pages' own assets are in the image."""
    assert predict(api_event("GET", "/v1/docs/swagger-ui.css"))["statusCode"] == 200


def test_the_predict_image_refuses_bad_input(predict):
    """Bad input is a problem, not a failure of the function."""
    answer = predict(api_event("POST", "/v1/predict", {"name": 1}))
    assert answer["statusCode"] == 422
    assert body(answer)["type"] == "/problems/invalid-input"


def test_no_product_text_is_logged(predict):
    """The log of a prediction has neither the product nor what decided."""
    predict(api_event("POST", "/v1/predict", {"name": "Zanzibar camera"}))
    said = predict.container.said()
    assert "Answered." in said
    assert "zanzibar" not in said.lower()


@pytest.mark.parametrize(
    "settings",
    [
        {"AISLE_STORE": "s3://aisle", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
        {"AISLE_STORE": "s3://aisle", "AWS_ACCESS_KEY_ID": ""},
        {"AISLE_STORE": "file:///nowhere"},
    ],
)
def test_a_store_out_of_reach_leaves_the_packaged_model(start_lambda, settings):
    """Where the store cannot be reached, the packaged model serves and the log names the store."""
    called = start_lambda("predict", **(NO_AWS | settings))
    answer = called(api_event("POST", "/v1/predict", GOPRO))
    assert answer["statusCode"] == 200
    assert settings["AISLE_STORE"].rpartition("/")[2] in called.container.said()


def test_a_wrong_setting_is_a_503_that_the_log_explains(start_lambda):
    """A setting that cannot be used is named in the log; the function answers all the same."""
    called = start_lambda("predict", AISLE_POLL_SECONDS="soon")
    assert called(api_event("GET", "/healthz"))["statusCode"] == 503
    assert "AISLE_POLL_SECONDS" in called.container.said()


def test_the_feedback_image_keeps_feedback(feedback):
    """Read-only, as nobody, it records an event once."""
    said = {"product": GOPRO, "category": {"id": "pcmcat329700050017"}}
    answers = [feedback(api_event("POST", "/v1/feedback", said)) for _ in range(2)]
    assert [answer["statusCode"] for answer in answers] == [201, 200]


def test_the_feedback_image_is_the_authorizers_too(start_lambda):
    """With another command it checks keys, here those of its environment."""
    now = datetime.now(UTC)
    key, record = api_keys.new_key("shop", ["predict"], now=now, lifetime=timedelta(days=1))
    records = api_keys.dump((record,)).decode()
    authorizer = start_lambda("feedback", "authorizer.handler.handler", AISLE_KEYS=records)
    allowed = authorizer({"methodArn": METHOD, "headers": {"x-api-key": key}})
    refused = authorizer({"methodArn": METHOD, "headers": {"x-api-key": "aisle_" + "0" * 64}})
    assert allowed["context"] == {"client": "shop", "scopes": "predict"}
    assert refused["errorMessage"] == "Unauthorized"
    assert key not in authorizer.container.said()


def test_the_feedback_image_decides_on_retraining_too(start_lambda):
    """With another command it looks at the feedback, and submits nothing where there is none."""
    retrain = start_lambda(
        "feedback",
        "retrain.handler.handler",
        AISLE_JOB_QUEUE="q",
        AISLE_JOB_DEFINITION="d",
        AISLE_STORE="/tmp/store",  # noqa: S108  # all that can be written to there
    )
    answer = retrain({"source": "aws.events"})
    assert (answer["started"], answer["why"][:8]) == (False, "Not due:")


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
    """What belongs to another image is not in this one."""
    found = f"import importlib.util; print(importlib.util.find_spec({package!r}))"
    inside = ["docker", "run", "--rm", "--entrypoint", "python", image(target), "-c", found]
    assert run(*inside).stdout == "None\n"


def test_the_training_image_can_load_lightgbm(image):
    """The library that LightGBM is linked with is there, and so LightGBM loads where it is."""
    load = (
        "import ctypes, importlib.util as found; ctypes.CDLL('libgomp.so.1'); "
        "found.find_spec('lightgbm') and __import__('lightgbm')"
    )
    run("docker", "run", "--rm", "--entrypoint", "python", image("training"), "-c", load)


@pytest.mark.parametrize(("target", "megabytes"), [("predict", 240), ("feedback", 90)])
def test_an_image_adds_little_to_its_base(image, target, megabytes):
    """What a cold start has to fetch stays small."""
    size, base = (
        int(run("docker", "image", "inspect", "--format", "{{.Size}}", name).stdout)
        for name in (image(target), BASE)
    )
    assert size - base <= megabytes * MEGABYTE
