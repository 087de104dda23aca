"""`docker compose up` as a newcomer meets it, and the loop: train, publish, serve the new model.

The S3 stand-in is moto's server: it takes any credentials, so nothing here proves rights.
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
    """A compose project, apart from whatever else runs here."""

    def __init__(self):
        self.name = f"aisle-test-{secrets.token_hex(4)}"

    def __call__(self, *arguments):
        """Run a command of compose and return what it printed."""
        settings = {
            "COMPOSE_PROJECT_NAME": self.name,
            "AISLE_PORT": "0",  # whichever is free
            "LABS_PORT": "0",
            "AISLE_POLL_SECONDS": POLL_SECONDS,
        }
        return run("docker", "compose", *arguments, env=settings).stdout

    def logs(self):
        """Return all that the containers have logged."""
        return self("logs", "--no-color", "--no-log-prefix")

    def address(self, service, port):
        """Return where a service answers on this machine."""
        return "http://" + self("port", service, str(port)).strip()


@pytest.fixture(scope="module")
def project(engine):
    """Bring everything up as `docker compose up` does."""
    compose = Project()
    try:
        compose("up", "--build", "--detach", "--wait")
        yield compose
    finally:
        compose("--profile", "training", "down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def key(project):
    """Make an API key, as the log of the API says."""
    return project("exec", "-T", "api", "aisle", "keys", "create", "--client", "me").strip()


@pytest.fixture(scope="module")
def packaged(project, key):
    """Ask the API about a pan before anything was trained."""
    return predict(project, key)


@pytest.fixture(scope="module")
def on_lambda(project, start_lambda):
    """Start the predict function on the same store, and give what predicts a pan with it."""
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
    """Train on a made-up catalogue in a container, and give the version that it published."""
    assert on_lambda()["model_version"] == packaged["model_version"]
    catalogue = write_catalogue(tmp_path_factory.mktemp("shop") / "shop.jsonl.gz", products(400))
    mounted = f"{catalogue}:/shop.jsonl.gz:ro"
    job = ["run", "--rm", "-T", "--volume", mounted, "training"]
    return project(*job, "train", "--data", "/shop.jsonl.gz").strip()


def predict(project, key):
    """Ask the API about a pan."""
    return ask(f"{project.address('api', 8080)}/v1/predict", PAN, key=key).json()


def test_up_gives_an_api_that_answers(packaged):
    """After `docker compose up` and a key, the API answers with the packaged model."""
    assert packaged["model_version"] == bundle.read(bundle.PACKAGED).manifest.model_version


def test_the_api_lets_nobody_in_without_a_key(project, packaged):
    """The API in a container listens to others, so it asks for a key."""
    assert ask(f"{project.address('api', 8080)}/v1/predict", PAN).status == 401


def test_a_trained_model_serves_without_a_restart(project, key, trained):
    """The API takes up what a training container has published, and knows the shop's categories."""
    wait_for(lambda: predict(project, key)["model_version"] == trained, or_say=project.logs)
    assert predict(project, key)["category"]["path"][0]["name"] == "Kitchen"


def test_a_trained_model_serves_in_the_function_that_ran(on_lambda, trained):
    """So does the predict function, in the container that had the packaged model before."""
    wait_for(lambda: on_lambda()["model_version"] == trained)


def test_the_loop(project, key, trained):
    """Corrections of a family lead to a model that knows it, and a rollback back, in containers."""
    assert trained
    address = project.address("api", 8080)
    story = made_up_shop()

    def command(*arguments):
        return project("exec", "-T", "api", "aisle", *arguments)

    with tempfile.TemporaryDirectory() as folder:
        catalogue = write_catalogue(Path(folder, "shop.jsonl.gz"), story.catalogue)
        job = ["run", "--rm", "-T", "--volume", f"{catalogue}:/shop.jsonl.gz:ro", "training"]
        first = project(*job, "train", "--data", "/shop.jsonl.gz").strip()
    wait_for(lambda: predict(project, key)["model_version"] == first, or_say=project.logs)
    told = []
    try:
        Loop(ApiClient(address, key), command, told.append).go(story, first)
    except DemoError as error:
        pytest.fail("\n".join([*told, str(error), project.logs()]))


def test_no_key_is_in_the_logs(project, key, trained):
    """What the containers log holds no API key."""
    assert predict(project, key)
    said = project.logs()
    assert trained in said
    assert key not in said


def test_the_labs_print_their_token(project):
    """JupyterLab's log has the address with the token, and only the token opens it."""
    token = wait_for(lambda: re.search(r"127\.0\.0\.1:8888/lab\?token=(\w+)", project.logs()))
    address = f"{project.address('labs', 8888)}/api/contents"
    assert ask(address).status == 403
    assert ask(f"{address}?token={token.group(1)}").status == 200


def test_a_notebook_can_train_and_predict(project, key):
    """A kernel of the labs has library, training stages, comparison and store."""
    project("exec", "-T", "labs", "python", "-c", RUN_NOTEBOOK)
