"""`docker compose up` as a newcomer runs it, and the loop: train, publish, serve the new model.

The S3 stand-in is moto's server: it accepts any credentials, so this proves no permissions.
"""

import json
import re
import secrets
import tempfile
from pathlib import Path

import pytest

from aisle.model import bundle
from demo.loop import Loop, made_up_shop
from demo.service import ApiClient, DemoError
from tests.containers.commands import api_event, ask, run, wait_for
from tests.made_up import products, write_catalogue

pytestmark = pytest.mark.containers

POLL_SECONDS = "1"
PAN = {"name": "Skillet 28 cm", "description": "Cast iron; for all hobs"}

RUN_NOTEBOOK = """
import nbclient, nbformat

cell = nbformat.v4.new_code_cell('''
import os
import aisle
import aisle_benchmark.notebook.tables
import aisle_training.pipeline
aisle.load(os.environ["AISLE_STORE"])
''')
nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[cell])).execute()
"""


class Project:
    """A compose project, isolated from other projects on this machine."""

    def __init__(self):
        self.name = f"aisle-test-{secrets.token_hex(4)}"

    def __call__(self, *arguments):
        """Run a command of compose and return its output."""
        settings = {
            "COMPOSE_PROJECT_NAME": self.name,
            "AISLE_PORT": "0",  # any free port
            "LABS_PORT": "0",
            "AISLE_POLL_SECONDS": POLL_SECONDS,
        }
        return run("docker", "compose", *arguments, env=settings).stdout

    def logs(self):
        """Return everything that the containers have logged."""
        return self("logs", "--no-color", "--no-log-prefix")

    def address(self, service, port):
        """Return the address of a service on this machine."""
        return "http://" + self("port", service, str(port)).strip()


@pytest.fixture(scope="module")
def project(engine):
    """Start everything as `docker compose up` does."""
    compose = Project()
    try:
        compose("up", "--build", "--detach", "--wait")
        yield compose
    finally:
        compose("--profile", "training", "down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def key(project):
    """Create an API key, as the API's log tells a newcomer to."""
    return project("exec", "-T", "api", "aisle", "keys", "create", "--client", "me").strip()


@pytest.fixture(scope="module")
def packaged(project, key):
    """Predict a pan's category before any training."""
    return predict(project, key)


@pytest.fixture(scope="module")
def on_lambda(project, start_lambda):
    """Start the predict function on the same store; give the function that predicts a pan."""
    call = start_lambda(
        "predict",
        network=f"{project.name}_default",
        AISLE_STORE="s3://aisle",
        AISLE_POLL_SECONDS=POLL_SECONDS,
        AWS_ENDPOINT_URL_S3="http://s3:9000",
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="nothing",
        AWS_DEFAULT_REGION="us-east-1",
    )
    return lambda: json.loads(call(api_event("POST", "/v1/predict", PAN))["body"])


@pytest.fixture(scope="module")
def trained(project, packaged, on_lambda, tmp_path_factory):
    """Train on a made-up catalogue in a container, and give the published version."""
    assert on_lambda()["model_version"] == packaged["model_version"]
    catalogue = write_catalogue(tmp_path_factory.mktemp("shop") / "shop.jsonl.gz", products(400))
    mounted = f"{catalogue}:/shop.jsonl.gz:ro"
    job = ["run", "--rm", "-T", "--volume", mounted, "training"]
    return project(*job, "train", "--data", "/shop.jsonl.gz").strip()


def predict(project, key):
    """Ask the API for a pan's category."""
    return ask(f"{project.address('api', 8080)}/v1/predict", PAN, key=key).json()


def test_up_gives_an_api_that_answers(packaged):
    """After `docker compose up` and a key, the API answers with the packaged model."""
    assert packaged["model_version"] == bundle.read(bundle.PACKAGED).manifest.model_version


def test_the_api_lets_nobody_in_without_a_key(project, packaged):
    """The API in a container is open to the network, so it requires a key."""
    assert ask(f"{project.address('api', 8080)}/v1/predict", PAN).status == 401


def test_a_trained_model_serves_without_a_restart(project, key, trained):
    """The API loads the model that a training container published, with the shop's categories."""
    wait_for(lambda: predict(project, key)["model_version"] == trained, details=project.logs)
    assert predict(project, key)["category"]["path"][0]["name"] == "Kitchen"


def test_a_running_function_loads_a_trained_model(on_lambda, trained):
    """The predict function loads it too, in the container that served the packaged model before."""
    wait_for(lambda: on_lambda()["model_version"] == trained)


def test_the_loop(project, key, trained):
    """In containers, corrections lead to a model that learned them, and a rollback undoes it."""
    assert trained
    address = project.address("api", 8080)
    story = made_up_shop()

    def command(*arguments):
        return project("exec", "-T", "api", "aisle", *arguments)

    with tempfile.TemporaryDirectory() as folder:
        catalogue = write_catalogue(Path(folder, "shop.jsonl.gz"), story.catalogue)
        job = ["run", "--rm", "-T", "--volume", f"{catalogue}:/shop.jsonl.gz:ro", "training"]
        first = project(*job, "train", "--data", "/shop.jsonl.gz").strip()
    wait_for(lambda: predict(project, key)["model_version"] == first, details=project.logs)
    output = []
    try:
        Loop(ApiClient(address, key), command, output.append).run(story, first)
    except DemoError as error:
        pytest.fail("\n".join([*output, str(error), project.logs()]))


def test_no_key_is_in_the_logs(project, key, trained):
    """The logs of the containers contain no API key."""
    assert predict(project, key)
    logs = project.logs()
    assert trained in logs
    assert key not in logs


def test_the_labs_print_their_token(project):
    """JupyterLab logs its address with a token, and requires that token."""
    token = wait_for(lambda: re.search(r"127\.0\.0\.1:8888/lab\?token=(\w+)", project.logs()))
    address = f"{project.address('labs', 8888)}/api/contents"
    assert ask(address).status == 403
    assert ask(f"{address}?token={token.group(1)}").status == 200


def test_a_notebook_can_train_and_predict(project, key):
    """A kernel of the labs has the library, the training stages, the comparison and the store."""
    project("exec", "-T", "labs", "python", "-c", RUN_NOTEBOOK)
