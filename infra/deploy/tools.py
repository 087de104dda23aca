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
    """Run a program, with text on its standard input; raise CloudError if it fails."""

    def __call__(self, command: Sequence[str], *, stdin: str | None = None) -> None:
        """Run it."""


def run(command: Sequence[str], *, stdin: str | None = None) -> None:
    """Run a program in the project's folder and show its output; see `RunProgram`."""
    try:
        subprocess.run(command, check=True, cwd=ROOT, input=stdin, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise CloudError(
            f"`{command[0]} {command[1]}` failed: {error}. Expected it to succeed. Read its output "
            "above; check that Docker runs and that `make build` works."
        ) from error


class Images:
    """The images: built locally, pushed to the account's registry."""

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
                *(
                    argument
                    for repository in repositories
                    for argument in ("--image-repositories", repository)
                ),
                *("--output-template-file", PACKAGED),
            ]
        )

    def build_and_push_training(self) -> None:
        """Build the image of the training job, and push it as `latest`."""
        image = f"{self._names.image('training')}:latest"
        self._run(["docker", "build", "--target", "training", "--tag", image, "."])
        with calling("get the password of the image registry"):
            authorization = self._session.ecr.get_authorization_token()["authorizationData"][0]
        token = base64.b64decode(authorization["authorizationToken"]).decode()
        user, _, password = token.partition(":")
        login = ["docker", "login", "--username", user, "--password-stdin", self._names.registry]
        self._run(login, stdin=password)
        self._run(["docker", "push", image])
