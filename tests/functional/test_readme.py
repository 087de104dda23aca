"""The README's first screen is what really happens."""

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.serving.predict.app import create_app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def answered():
    """Give what the packaged model answers to the README's request."""
    request = re.search(r"-d '(\{.*?\})'", README, re.DOTALL).group(1)
    classifier = Classifier(bundle.read(bundle.PACKAGED))
    client = TestClient(create_app(lambda: classifier))
    return client.post("/v1/predict", json=json.loads(request)).json()


@pytest.fixture(scope="module")
def shown():
    """Give the response that the README shows."""
    return json.loads(re.search(r"```json\n(\{\n.*?\n\})\n```", README, re.DOTALL).group(1))


@pytest.mark.parametrize(
    "part", ["prediction_id", "levels", "answer", "needs_review", "model_version"]
)
def test_the_readme_shows_what_is_answered(answered, shown, part):
    """Each part of the response in the README is what the packaged model answers."""
    assert _reduced(answered[part], shown[part]) == shown[part]


@pytest.mark.parametrize("part", ["category", "alternatives", "evidence"])
def test_the_readme_shows_the_beginning_of_what_is_answered(answered, shown, part):
    """Where the README shortens a list, it shows its beginning."""
    assert _reduced(answered[part], shown[part]) == shown[part]


def test_the_seed_example_is_a_camera_accessory(answered):
    """The example product belongs under Cameras & Camcorders, and its words say so."""
    assert answered["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert {"GoPro", "Camera"} <= {fragment["text"] for fragment in answered["evidence"]}


def _reduced(whole, part):
    """Cut a value down to what another one shows of it: its keys, and as many items."""
    if isinstance(part, dict):
        return {key: _reduced(whole[key], part[key]) for key in part}
    if isinstance(part, list):
        return [_reduced(one, other) for one, other in zip(whole, part, strict=False)]
    # The last digits of a confidence are the processor's.
    return pytest.approx(whole, abs=1e-3) if isinstance(whole, float) else whole
