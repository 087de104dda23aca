"""The predict API's OpenAPI document; `CheckedClient` checks that responses fit it."""

import copy
import re
from importlib import resources

import pytest
from starlette.testclient import TestClient

from aisle import __version__
from aisle.serving.http.problems import KINDS
from aisle.serving.predict.app import create_app

PATHS = [
    "/v1/predict",
    "/v1/predict/batch",
    "/v1/categories",
    "/v1/model",
    "/v1/models",
    "/v1/models/{version}/report",
    "/v1/training",
    "/v1/feedback/stats",
    "/healthz",
]


@pytest.fixture
def described(client):
    """Fetch the OpenAPI document."""
    return client.get("/v1/openapi.json").json()


def _operations(described):
    return [operation for methods in described["paths"].values() for operation in methods.values()]


def _references(value):
    """Yield every reference in a description."""
    if isinstance(value, dict):
        yield from (item for name, item in value.items() if name == "$ref")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_description_has_the_routes(described):
    """The description has exactly the public routes, and the version of the library."""
    assert sorted(described["paths"]) == sorted(PATHS)
    assert described["info"]["version"] == __version__


def test_operations_have_names(described):
    """Every operation has the name of its function, a tag, a summary and a description."""
    assert {operation["operationId"] for operation in _operations(described)} == {
        "predict",
        "predict_batch",
        "list_categories",
        "describe_model",
        "list_models",
        "read_report",
        "follow_training",
        "count_feedback",
        "check_health",
    }
    tags = {tag["name"] for tag in described["tags"]}
    for operation in _operations(described):
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        assert operation["description"]


def test_references_lead_somewhere(described):
    """Every reference leads to a schema of the document, and FastAPI's own errors are gone."""
    schemas = described["components"]["schemas"]
    references = set(_references(described))
    assert references
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)


def test_errors_are_described_as_problems(described):
    """Every error that is described is a problem, and each operation has some."""
    for operation in _operations(described):
        errors = {int(code) for code in operation["responses"]} - {200}
        assert {500, 503} <= errors
        for status in errors:
            (media_type,) = operation["responses"][str(status)]["content"].items()
            assert media_type == (
                "application/problem+json",
                {"schema": {"$ref": "#/components/schemas/Problem"}},
            )


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
def test_operations_with_a_body_describe_its_errors(described, path):
    """The errors that a body can cause are described."""
    assert {"400", "413", "415", "422"} <= set(described["paths"][path]["post"]["responses"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_every_kind_of_problem_is_documented(described, kind):
    """The description lists every kind of problem with its status."""
    assert f"| `{kind.type}` | {kind.status} |" in described["info"]["description"]


def test_kinds_of_problems_are_distinct():
    """No two kinds of problem share their type."""
    assert len({kind.type for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
def test_examples_work(client, described, path):
    """The examples in the document are accepted."""
    content = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    schema = described["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    assert "GoPro - Camera Mount Accessory Kit - Black" in str(schema["examples"])
    for example in schema["examples"]:
        assert client.post(path, json=example).status_code == 200


def test_description_is_the_same_everywhere(classifier, described):
    """The description does not depend on where it is served, so that it can be committed."""
    elsewhere = TestClient(create_app(lambda: classifier), root_path="/prod")
    assert elsewhere.get("/prod/v1/openapi.json").json() == described


def test_evidence_offsets_are_explained(described):
    """The description says what evidence offsets count, and how to use them in JavaScript."""
    explained = described["components"]["schemas"]["EvidenceFragment"]["description"]
    assert "code points" in explained
    assert "Array.from" in explained


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda prediction: prediction.pop("answer"), "required"),
        (lambda prediction: prediction.update(confidence="high"), "is not of type number"),
        (lambda prediction: prediction.update(confidence=True), "is not of type number"),
        (lambda prediction: prediction.update(confidence=1.5), "maximum"),
        (lambda prediction: prediction.update(prediction_id="x"), "pattern"),
        (lambda prediction: prediction["category"]["path"].clear(), "minItems"),
        (lambda prediction: prediction["levels"][0].pop("id"), "levels"),
        (lambda prediction: prediction["answer"].update(id=5), "no option fits"),
    ],
)
def test_the_check_of_answers_finds_faults(client, described, find_faults, change, path):
    """The check of every response does find faults."""
    schema = {"$ref": "#/components/schemas/PredictResponse"}
    prediction = client.post("/v1/predict", json={"name": "camera mount"}).json()
    assert list(find_faults(prediction, schema, described)) == []
    changed = copy.deepcopy(prediction)
    change(changed)
    (fault,) = find_faults(changed, schema, described)
    assert path in fault


def test_docs_page_needs_nothing_from_elsewhere(client):
    """The page and everything it links come from this server, without inline scripts or styles."""
    page = client.get("/v1/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    policy = page.headers["content-security-policy"]
    assert page.headers["content-type"].startswith("text/html")
    assert len(links) == 5
    assert not re.search(r"<style|style=|<script>|\son\w+=|//", page.text)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for link in links:
        assert client.get(f"/v1/{link}").status_code == 200


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon-32x32.png", "image/png"),
    ],
)
def test_docs_assets_are_those_of_the_package(client, name, media_type):
    """The assets are the package's files, byte by byte, with a type that browsers accept."""
    asset = client.get(f"/v1/docs/{name}")
    packaged = resources.files("fastapi_swagger.resources").joinpath(name).read_bytes()
    assert asset.content == packaged
    assert asset.headers["content-type"].partition(";")[0] == media_type
    assert asset.headers["x-content-type-options"] == "nosniff"


def test_docs_script_keeps_to_itself(client):
    """The page's own script uses no validator elsewhere, and loads the document beside it."""
    script = client.get("/v1/docs/start.js").text
    assert "validatorUrl: null" in script
    assert 'new URL("openapi.json", document.location.href)' in script


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/docs/start.js", "/v1/openapi.json", "/healthz"])
def test_prefix_of_a_stage_does_no_harm(classifier, path):
    """Behind a prefix that is configured, every route answers."""
    client = TestClient(create_app(lambda: classifier), root_path="/prod")
    assert client.get(f"/prod{path}").status_code == 200
