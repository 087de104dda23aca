"""The templates, translated once."""

import json
import subprocess
from pathlib import Path

import botocore.client
import pytest

from tests.containers.commands import missing
from tests.infra.recorder import Aws
from tests.infra.templates import parameters, resolve

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-templates" / "bin" / "python"


@pytest.fixture(scope="session")
def templates():
    """Give the templates by path, the root one as SAM translates it."""
    if not PYTHON.exists():
        missing("SAM's translator is not installed: `make templates` installs it")
    done = subprocess.run(
        [PYTHON, Path(__file__).with_name("translate.py"), ROOT],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def resolved(templates):
    """Give the templates with the parameters of a stack named `aisle` filled in."""
    return {
        name: resolve(template, parameters(templates, name)) for name, template in templates.items()
    }


@pytest.fixture(scope="session")
def root(resolved):
    """Give the translated root template, resolved."""
    return resolved["template.yaml"]


@pytest.fixture
def recorded(aws, monkeypatch):
    """Give a fake AWS that records requests; none leaves this process."""
    recorder = Aws()

    def record(client, operation, arguments):
        return recorder(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", record)
    return recorder
