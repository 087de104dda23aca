"""The built functions behind SAM's API Gateway: routes, authorizer and responses.

Unlike Lambda, SAM runs the functions as root on a writable disk (see `test_lambda_images.py`). Its
gateway also has its own bodies for requests that it refuses, so these tests check the status only.
"""

import json
import secrets
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from aisle.access import api_keys, scopes
from tests.containers.commands import (
    ROOT,
    START_SECONDS,
    ask,
    environment,
    missing,
    run,
    wait_for,
)

pytestmark = pytest.mark.containers

SAM = ROOT / ".venv-sam" / "bin" / "sam"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
}
GOPRO_NAME = {"name": "GoPro - Camera Mount Accessory Kit - Black"}
GOPRO = GOPRO_NAME | {"top_k": 2}
CORRECTION = {"product": GOPRO_NAME, "category": {"id": "pcmcat329700050017"}}


@pytest.fixture(scope="module")
def sam(engine):
    """Give the function that runs SAM."""
    if not SAM.exists():
        missing("SAM CLI is not installed: `make build` installs it")
    return lambda *arguments: run(str(SAM), *arguments, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def built(sam, tmp_path_factory):
    """Build the functions into a folder of their own and give its template."""
    folder = tmp_path_factory.mktemp("sam")
    sam("build", "--build-dir", str(folder), "--cache-dir", str(folder / "cache"))
    return folder / "template.yaml"


@pytest.fixture(scope="module")
def keys():
    """Create a key for everything, one for feedback only, and an expired one."""
    now = datetime.now(UTC)
    day = timedelta(days=1)
    return {
        "full": api_keys.new_key("shop", scopes.SCOPES, now=now, lifetime=day),
        "feedback": api_keys.new_key("labels", ["feedback"], now=now, lifetime=day),
        "expired": api_keys.new_key("gone", scopes.SCOPES, now=now - 2 * day, lifetime=day),
    }


@pytest.fixture(scope="module")
def api(built, keys, tmp_path_factory):
    """Start the API with these keys, and give its address."""
    folder = tmp_path_factory.mktemp("start-api")
    records = api_keys.dump(tuple(record for _, record in keys.values())).decode()
    variables = folder / "env-vars.json"
    settings = {"AISLE_KEYS": records, "AISLE_STORE": "file:///tmp/aisle"}
    variables.write_text(json.dumps({"Parameters": settings}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    network = f"aisle-test-{secrets.token_hex(4)}"
    run("docker", "network", "create", network)
    log = folder / "log"
    command = [SAM, "local", "start-api", "--config-file", ROOT / "samconfig.toml"]
    command += ["--template", built, "--env-vars", variables]
    command += ["--port", str(port), "--docker-network", network]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment(ENVIRONMENT), stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: ask(f"{address}/healthz").status == 200, details=log.read_text)
        yield address
    finally:
        server.terminate()
        server.wait(START_SECONDS)
        # SAM may leave containers behind; it started all containers of this network.
        leftover = run("docker", "ps", "--all", "--quiet", "--filter", f"network={network}").stdout
        if leftover:
            run("docker", "rm", "--force", *leftover.split())
        run("docker", "network", "rm", network)


def described(*, open_to_all):
    """Return the routes of the committed description: those without a key, or the others."""
    paths = json.loads((ROOT / "infra" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if bool(operation.get("security")) != open_to_all
    ]


def test_the_template_is_valid(sam):
    """SAM and cfn-lint accept the template."""
    sam("validate", "--lint")


def test_a_product_is_predicted(api, keys):
    """The API answers with the packaged model's category for a product."""
    response = ask(f"{api}/v1/predict", GOPRO, key=keys["full"][0])
    assert response.status == 200
    assert response.json()["category"]["path"][0]["name"] == "Cameras & Camcorders"


def test_a_batch_is_predicted(api, keys):
    """In a batch, an invalid product does not fail the other."""
    response = ask(f"{api}/v1/predict/batch", {"products": [GOPRO_NAME, {}]}, key=keys["full"][0])
    assert response.status == 200
    good, bad = response.json()["results"]
    assert good["prediction"]["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert bad["error"]["status"] == 422


@pytest.mark.parametrize("key", ["full", "feedback"])
def test_feedback_is_recorded(api, keys, key):
    """Feedback is recorded the first time and known the second, so it was written."""
    responses = [ask(f"{api}/v1/feedback", CORRECTION, key=keys[key][0]) for _ in range(2)]
    assert [response.status for response in responses] == [201, 200]
    assert [response.json()["status"] for response in responses] == ["recorded", "known"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/predict", {"price": "free"}, 422),
        ("/v1/predict/batch", {"products": []}, 422),
        ("/v1/feedback", {"product": GOPRO_NAME}, 422),
        ("/v1/predict", b"{", 400),
    ],
)
def test_bad_input_is_a_problem(api, keys, path, body, status):
    """The functions refuse bad input with a problem that says what to do."""
    response = ask(api + path, body, key=keys["full"][0])
    assert (response.status, response.type) == (status, "application/problem+json")
    assert response.json()["status"] == status
    assert response.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/feedback"])
def test_a_body_that_is_too_large_is_a_problem(api, keys, path):
    """A body above the limit is a 413 in the problem format."""
    response = ask(api + path, {"name": "x" * 6_000_000}, key=keys["full"][0])
    assert (response.status, response.type) == (413, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), described(open_to_all=False))
def test_without_a_key_the_gateway_refuses(api, method, path):
    """Each route that requires a key exists, and the gateway answers 401 without one."""
    response = ask(api + path, method=method)
    # The function would answer 401 too, but with a problem, which would mean no authorizer ran.
    assert (response.status, response.type) == (401, "application/json")


@pytest.mark.parametrize("key", ["aisle_" + "0" * 64, "not a key"])
def test_an_unknown_key_is_refused(api, key):
    """An unknown key is refused, by SAM with 403 instead of AWS's 401."""
    assert ask(f"{api}/v1/predict", GOPRO, key=key).status == 403


def test_an_expired_key_is_refused(api, keys):
    """An expired key is refused with the same status."""
    assert ask(f"{api}/v1/predict", GOPRO, key=keys["expired"][0]).status == 403


def test_a_key_is_limited_to_its_scopes(api, keys):
    """A key for feedback cannot predict."""
    assert ask(f"{api}/v1/predict", GOPRO, key=keys["feedback"][0]).status == 403


@pytest.mark.parametrize(("method", "path"), described(open_to_all=True))
def test_health_is_open(api, method, path):
    """The health check needs no key."""
    assert ask(api + path, method=method).status == 200


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/docs/start.js", "/v1/openapi.json"])
@pytest.mark.parametrize(("key", "status"), [("full", 200), ("feedback", 200), (None, 401)])
def test_docs_are_for_every_key(api, keys, path, key, status):
    """The documentation needs a key, with any scope."""
    assert ask(api + path, key=key and keys[key][0]).status == status


@pytest.mark.parametrize("path", ["/v1/unknown", "/v1/predict/unknown", "/"])
def test_an_unknown_route_is_refused(api, keys, path):
    """API Gateway answers 403 to an unknown route, with or without a key."""
    assert ask(api + path, key=keys["full"][0]).status == 403
