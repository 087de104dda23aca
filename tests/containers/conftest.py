"""The container engine, the images, and containers that are gone when their test is."""

import secrets
import shutil

import pytest

from tests.containers.commands import LOCKED_DOWN, ask, missing, run, wait_for


@pytest.fixture(scope="session")
def engine():
    """Give the tests a container engine."""
    if shutil.which("docker") is None or run("docker", "info", check=False).returncode:
        missing("Docker is not there, or not running: no container can be started")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Copy what the images are made of, as a umask of 077 has it: for its owner alone."""
    folder = tmp_path_factory.mktemp("checkout")
    # The requirements as they are: pip reads them as root, and its layers need not be made anew.
    for name in ("Dockerfile", ".dockerignore", "requirements"):
        run("cp", "-R", name, str(folder))
    for name in ("LICENSE", "functions", "training", "benchmark", "static_site"):
        run("cp", "-R", name, str(folder))
        run("chmod", "-R", "go-rwx", str(folder / name))
    return folder


@pytest.fixture(scope="session")
def image(engine, checkout):
    """Give a function that builds a target of the Dockerfile, once, and returns its name."""
    built = {}

    def build(target):
        if target not in built:
            name = f"aisle-test-{target}"
            run("docker", "build", "--quiet", "--target", target, "--tag", name, str(checkout))
            built[target] = name
        return built[target]

    return build


class Container:
    """A container that runs."""

    def __init__(self, name):
        self.name = name

    def port(self, inside):
        """Return the port on this machine that leads to one inside."""
        found = run("docker", "port", self.name, str(inside)).stdout.split()[0]
        return int(found.rpartition(":")[2])

    def said(self):
        """Return all that it has logged."""
        done = run("docker", "logs", self.name)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def start(engine):
    """Give a function that starts a container with these options; all end with the module."""
    started = []

    def start_one(*options):
        name = f"aisle-test-{secrets.token_hex(4)}"
        started.append(name)
        run("docker", "run", "--detach", "--name", name, *options)
        return Container(name)

    yield start_one
    if started:
        run("docker", "rm", "--force", "--volumes", *started)


class Lambda:
    """A function in a container, called as Lambda would call it, through the emulator."""

    def __init__(self, container):
        self.container = container
        port = container.port(8080)
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"

    def __call__(self, event):
        """Invoke it; the first time, wait for the emulator."""
        return wait_for(lambda: ask(self._url, event), or_say=self.container.said).json()


@pytest.fixture(scope="module")
def start_lambda(start, image):
    """Give a function that starts an image as locked down as on Lambda, with an environment."""

    def start_one(target, *command, network=None, **environment):
        options = [
            part for name in environment for part in ("--env", f"{name}={environment[name]}")
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

    return start_one
