"""What each function's process loads when it starts."""

import pytest

from tests.commands import run_alone

HEAVY = ["lightgbm", "onnx", "pandas", "scipy", "sklearn"]
OURS = ["aisle.catalogue", "aisle.cli", "aisle_benchmark", "aisle_training"]
MODEL = ["aisle.model", "numpy", "onnxruntime"]
SERVERS = ["typer", "uvicorn"]
AWS = ["aws_xray_sdk", "boto3", "botocore.session"]  # Powertools looks at botocore's version


def loaded(module):
    """Import a module in a fresh interpreter with an empty environment; list what is loaded."""
    code = f"import json, sys\nimport {module}\nprint(json.dumps(sorted(sys.modules)))"
    return {*run_alone(code)}


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("predict.handler", [*HEAVY, *OURS, *SERVERS, *AWS, "feedback", "fastapi_swagger"]),
        (
            "feedback.handler",
            [*HEAVY, *OURS, *SERVERS, *AWS, "predict", *MODEL],
        ),
        (
            "authorizer.handler",
            [*HEAVY, *OURS, *SERVERS, *AWS, "predict", "feedback", *MODEL],
        ),
        (
            "retrain.handler",
            [*HEAVY, *OURS, *SERVERS, "predict", "feedback", *MODEL],
        ),
    ],
)
def test_handler_loads_no_more_than_it_needs(module, spared):
    """A function's process has neither another's libraries nor S3's where it needs none."""
    assert loaded(module) & {*spared} == set()
