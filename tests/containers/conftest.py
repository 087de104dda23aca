"""The container engine, the images, and containers that end with their tests."""

import secrets
import shutil

import pytest

from tests.containers.commands import LOCKED_DOWN, ask, missing, run, wait_for


@pytest.fixture(scope="session")
def engine():
    """Require a container engine."""
    if shutil.which("docker") is None or run("docker", "info", check=False).returncode:
        missing("Docker is not installed or not running: no container can start")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Copy the images' build context as under umask 077: readable by its owner only."""
    folder = tmp_path_factory.mktemp("checkout")
    # The requirements keep their mode: pip reads them as root, and its layers stay cached.
    for name in ("Dockerfile", ".dockerignore", "requirements"):
        run("cp", "-R", name, str(folder))
    for name in ("LICENSE", "functions", "training", "benchmark", "static_site"):
        run("cp", "-R", name, str(folder))
        run("chmod", "-R", "go-rwx", str(folder / name))
    return folder


@pytest.fixture(scope="session")
def image(engine, checkout):
    """Give the function that builds a target of the Dockerfile once, and returns its image."""
    built = {}

    def build(target):
        if target not in built:
            name = f"aisle-test-{target}"
            run("docker", "build", "--quiet", "--target", target, "--tag", name, str(checkout))
            built[target] = name
        return built[target]

    return build


class Container:
    """A running container."""

    def __init__(self, name):
        self.name = name

    def port(self, inside):
        """Return the port on this machine that maps to one inside."""
        address = run("docker", "port", self.name, str(inside)).stdout.split()[0]
        return int(address.rpartition(":")[2])

    def logs(self):
        """Return everything that it has logged."""
        process = run("docker", "logs", self.name)
        return process.stdout + process.stderr


@pytest.fixture(scope="module")
def start(engine):
    """Give the function that starts a container; all containers end with the module."""
    started = []

    def start_container(*options):
        name = f"aisle-test-{secrets.token_hex(4)}"
        started.append(name)
        run("docker", "run", "--detach", "--name", name, *options)
        return Container(name)

    yield start_container
    if started:
        run("docker", "rm", "--force", "--volumes", *started)


class Lambda:
    """A function in a container, called through the Lambda emulator."""

    def __init__(self, container):
        self.container = container
        port = container.port(8080)
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"

    def __call__(self, event):
        """Invoke the function; the first time, wait for the emulator."""
        return wait_for(lambda: ask(self._url, event), details=self.container.logs).json()


@pytest.fixture(scope="module")
def start_lambda(start, image):
    """Give the function that starts an image with Lambda's restrictions and an environment."""

    def start_function(target, *command, network=None, **environment):
        options = [
            option for name, value in environment.items() for option in ("--env", f"{name}={value}")
        ]
        options += ["--network", network] if network else []
        options += [
            "--publish",
            "127.0.0.1::8080",
            "--memory",
            "1024m",
            *LOCKED_DOWN,
            image(target),
            *command,
        ]
        return Lambda(start(*options))

    return start_function
