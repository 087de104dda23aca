"""The committed OpenAPI document of the whole API."""

import json
import subprocess
from pathlib import Path

from tests.commands import AISLE, environment

FILE = Path(__file__).parents[2] / "infra" / "openapi.json"


def test_the_committed_description_is_that_of_the_code(tmp_path):
    """`aisle openapi` prints the committed file, byte by byte; `make openapi` rewrites it."""
    printed = subprocess.run(
        [*AISLE, "openapi"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=True,
    ).stdout
    assert printed.decode() == FILE.read_text(encoding="utf-8")


def test_it_is_the_whole_api():
    """Predict and feedback are one API to the outside."""
    described = json.loads(FILE.read_text(encoding="utf-8"))
    assert {*described["paths"]} == {
        "/v1/predict",
        "/v1/predict/batch",
        "/v1/categories",
        "/v1/model",
        "/v1/models",
        "/v1/models/{version}/report",
        "/v1/training",
        "/v1/feedback",
        "/v1/feedback/batch",
        "/v1/feedback/stats",
        "/healthz",
    }
