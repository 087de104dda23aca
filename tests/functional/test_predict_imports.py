"""What the predict function's process loads."""

import pytest

from tests.commands import run_alone

ASK = """
import asyncio, json, sys

from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.serving.predict.app import create_app

classifier = Classifier(bundle.read(bundle.PACKAGED))
app = create_app(lambda: classifier)
body = json.dumps({"name": "GoPro - Camera Mount Accessory Kit - Black"}).encode()
scope = {
    "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
    "scheme": "http", "path": "/v1/predict", "raw_path": b"/v1/predict", "query_string": b"",
    "root_path": "", "headers": [(b"content-type", b"application/json")],
}
sent = []

async def receive():
    return {"type": "http.request", "body": body, "more_body": False}

async def send(message):
    sent.append(message)

asyncio.run(app(scope, receive, send))
print(json.dumps({"status": sent[0]["status"], "modules": sorted(sys.modules)}))
"""
IMPORT = """
import json, sys

import aisle.serving.predict.app

print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def asked():
    """Predict once in a fresh interpreter."""
    return run_alone(ASK)


def test_prediction_needs_no_environment(asked):
    """Predicting needs no environment variables."""
    assert asked["status"] == 200


@pytest.mark.parametrize(
    "package",
    [
        "aisle.cli",
        "aisle_training",
        "boto3",
        "lightgbm",
        "onnx",
        "pandas",
        "scipy",
        "sklearn",
        "uvicorn",
    ],
)
def test_prediction_loads_no(asked, package):
    """The process that predicts loads no training library, nor anything else that it can avoid."""
    assert not [name for name in asked["modules"] if f"{name}.".startswith(f"{package}.")]


def test_import_reads_no_asset():
    """Importing the application loads no Swagger UI."""
    assert "fastapi_swagger" not in run_alone(IMPORT)
