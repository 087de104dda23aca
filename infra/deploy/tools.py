"""The programs that build and push images: Docker and SAM CLI."""

import base64
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from aisle.errors import CloudError
from infra.deploy.names import Names
from infra.deploy.session import Session, calling

ROOT: Final = Path(__file__).parents[2]
PACKAGED: Final = ".aws-sam/packaged.yaml"
_SAM: Final = ".venv-sam/bin/sam"
# The image that each function of the template runs.
FUNCTIONS: Final[Mapping[str, str]] = {
    "PredictFunction": "predict",
    "FeedbackFunction": "feedback",
    "AuthorizerFunction": "feedback",
    "RetrainFunction": "feedback",
}


class RunProgram(Protocol):
    """Run a program, with something on its standard input; raise CloudError where it fails."""

    def __call__(self, command: Sequence[str], *, given: str | None = None) -> None:
        """Run it."""


def run(command: Sequence[str], *, given: str | None = None) -> None:
    """Run a program as `RunProgram` says, in the project's folder; what it prints is seen."""
    try:
        subprocess.run(command, check=True, cwd=ROOT, input=given, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise CloudError(
            f"A program failed: {command[0]} {command[1]}. It ended in: {error}. A success was "
            "expected. What it printed above says more; Docker has to run, `make build` to work."
        ) from error


class Images:
    """The images: built here, pushed to the registry of the account."""

    def __init__(self, names: Names, session: Session, run: RunProgram) -> None:
        self._names = names
        self._session = session
        self._run = run

    def build_and_push_functions(self) -> None:
        """Build the functions' images, push them, and write a template that names them."""
        repositories = [f"{name}={self._names.image(image)}" for name, image in FUNCTIONS.items()]
        self._run([_SAM, "build"])
        self._run(
            [
                *(_SAM, "package", "--region", self._names.region),
                *("--s3-bucket", self._names.artifacts),
                *(part for each in repositories for part in ("--image-repositories", each)),
                *("--output-template-file", PACKAGED),
            ]
        )

    def build_and_push_training(self) -> None:
        """Build the image of the training job, and push it as the latest."""
        image = f"{self._names.image('training')}:latest"
        self._run(["docker", "build", "--target", "training", "--tag", image, "."])
        with calling("ask for the registry's password"):
            found = self._session.ecr.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(found["authorizationToken"]).decode().partition(":")
        login = ["docker", "login", "--username", user, "--password-stdin", self._names.registry]
        self._run(login, given=password)
        self._run(["docker", "push", image])
