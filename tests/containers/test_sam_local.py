"""The built functions behind SAM's API Gateway: routes, authorizer, and what they answer.

SAM runs the functions as root on a writable disk, which Lambda does not (`test_lambda_images.py`),
and has its own bodies for what the gateway itself refuses; those are held by their status alone.
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
    """Give a function that runs SAM."""
    if not SAM.exists():
        missing("SAM CLI is not there: `make build` sets it up")
    return lambda *arguments: run(str(SAM), *arguments, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def built(sam, tmp_path_factory):
    """Build the functions into a folder of their own and give its template."""
    folder = tmp_path_factory.mktemp("sam")
    sam("build", "--build-dir", str(folder), "--cache-dir", str(folder / "cache"))
    return folder / "template.yaml"


@pytest.fixture(scope="module")
def keys():
    """Make a key for everything, one for feedback only, and one that has expired."""
    now = datetime.now(UTC)
    day = timedelta(days=1)
    return {
        "whole": api_keys.new_key("shop", scopes.SCOPES, now=now, lifetime=day),
        "feedback": api_keys.new_key("labels", ["feedback"], now=now, lifetime=day),
        "expired": api_keys.new_key("gone", scopes.SCOPES, now=now - 2 * day, lifetime=day),
    }


@pytest.fixture(scope="module")
def api(built, keys, tmp_path_factory):
    """Start the API with these keys, and give its address."""
    folder = tmp_path_factory.mktemp("start-api")
    records = api_keys.dump(tuple(record for _, record in keys.values())).decode()
    variables = folder / "env-vars.json"
    given = {"AISLE_KEYS": records, "AISLE_STORE": "file:///tmp/aisle"}
    variables.write_text(json.dumps({"Parameters": given}))
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
        wait_for(lambda: ask(f"{address}/healthz").status == 200, or_say=log.read_text)
        yield address
    finally:
        server.terminate()
        server.wait(START_SECONDS)
        # SAM may leave containers behind; whatever is on this network is its.
        left = run("docker", "ps", "--all", "--quiet", "--filter", f"network={network}").stdout
        if left:
            run("docker", "rm", "--force", *left.split())
        run("docker", "network", "rm", network)


def described(*, open_to_all):
    """Return the routes of the committed description, those that ask for a key or the others."""
    paths = json.loads((ROOT / "infra" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if bool(operation.get("security")) != open_to_all
    ]


def test_the_template_is_valid(sam):
    """SAM and cfn-lint find nothing in the template."""
    sam("validate", "--lint")


def test_a_product_is_predicted(api, keys):
    """A product is answered with the category that the packaged model gives it."""
    answer = ask(f"{api}/v1/predict", GOPRO, key=keys["whole"][0])
    assert answer.status == 200
    assert answer.json()["category"]["path"][0]["name"] == "Cameras & Camcorders"


def test_a_batch_is_predicted(api, keys):
    """In a batch, one bad product does not fail the other."""
    answer = ask(f"{api}/v1/predict/batch", {"products": [GOPRO_NAME, {}]}, key=keys["whole"][0])
    assert answer.status == 200
    good, bad = answer.json()["results"]
    assert good["prediction"]["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert bad["error"]["status"] == 422


@pytest.mark.parametrize("key", ["whole", "feedback"])
def test_feedback_is_kept(api, keys, key):
    """Feedback is recorded the first time and known the second: it was really written."""
    answers = [ask(f"{api}/v1/feedback", CORRECTION, key=keys[key][0]) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 200]
    assert [answer.json()["status"] for answer in answers] == ["recorded", "known"]


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
    """What the functions refuse is answered as a problem that says what to do."""
    answer = ask(api + path, body, key=keys["whole"][0])
    assert (answer.status, answer.type) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/feedback"])
def test_a_body_that_is_too_large_is_a_problem(api, keys, path):
    """A body above the limit is a 413 in the problem format."""
    answer = ask(api + path, {"name": "x" * 6_000_000}, key=keys["whole"][0])
    assert (answer.status, answer.type) == (413, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), described(open_to_all=False))
def test_without_a_key_nobody_gets_in(api, method, path):
    """Each route that asks for a key is there, and the gateway answers 401 without one."""
    answer = ask(api + path, method=method)
    # The function would refuse it too, but with a problem: then there was no authorizer before it.
    assert (answer.status, answer.type) == (401, "application/json")


@pytest.mark.parametrize("key", ["aisle_" + "0" * 64, "not a key"])
def test_an_unknown_key_does_not_get_in(api, key):
    """A key that nobody made is refused: what is a 401 in AWS is a 403 behind SAM."""
    assert ask(f"{api}/v1/predict", GOPRO, key=key).status == 403


def test_an_expired_key_does_not_get_in(api, keys):
    """A key opens nothing after its last day, with the same status."""
    assert ask(f"{api}/v1/predict", GOPRO, key=keys["expired"][0]).status == 403


def test_a_key_opens_what_its_scopes_say(api, keys):
    """A key for feedback does not predict."""
    assert ask(f"{api}/v1/predict", GOPRO, key=keys["feedback"][0]).status == 403


@pytest.mark.parametrize(("method", "path"), described(open_to_all=True))
def test_health_is_open(api, method, path):
    """Whether there are predictions needs no key."""
    assert ask(api + path, method=method).status == 200


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/docs/start.js", "/v1/openapi.json"])
@pytest.mark.parametrize(("key", "status"), [("whole", 200), ("feedback", 200), (None, 401)])
def test_docs_are_for_every_key(api, keys, path, key, status):
    """How to ask is told to whoever has a key, whatever it opens."""
    assert ask(api + path, key=key and keys[key][0]).status == status


@pytest.mark.parametrize("path", ["/v1/unknown", "/v1/predict/unknown", "/"])
def test_an_unknown_route_is_refused(api, keys, path):
    """API Gateway answers 403 where there is no such route, key or not."""
    assert ask(api + path, key=keys["whole"][0]).status == 403
