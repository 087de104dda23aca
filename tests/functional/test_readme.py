"""What README.md and the pages about files, learning and serving show is what really happens."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from socket import socket

import click
import pytest
from typer.main import get_command

from aisle.access import scopes
from aisle.cli.main import app
from aisle.feedback.event import NamedCategory, new_event, record_feedback
from aisle.product import Product
from aisle.store import open_store
from tests.commands import environment
from tests.made_up import products, write_catalogue

ROOT = Path(__file__).parents[2]
# The pages whose commands are run, in the order in which they build on each other.
PAGES = ("README.md", "docs/LEARNING.md", "docs/SERVING.md", "docs/CATALOGUES.md")
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
README = TEXTS["README.md"]

DOCKER = "needs Docker; tests/containers does the same"
AWS = "needs an AWS account; tests/infra looks at what would be asked of it"
SAM = "needs Docker and SAM CLI; tests/containers/test_sam_local.py does the same"
NOT_RUN = {
    "make test": "runs this test",
    "make demo-loop": "takes a minute; tests/functional/test_demo_loop.py runs it",
    "docker compose up --detach": DOCKER,
    "docker compose exec api aisle keys create --client me": DOCKER,
    "docker compose logs labs": DOCKER,
    'docker compose run --rm --volume "$PWD/products.jsonl.gz:/data.jsonl.gz" '
    "training train --data /data.jsonl.gz": DOCKER,
    "docker build --target training --tag aisle .": DOCKER,
    "docker run --rm --env AISLE_STORE=s3://BUCKET/PREFIX aisle retrain --if-due": DOCKER,
    "make deploy ARGS=--dry-run": "installs SAM CLI; tests/infra/test_deploy.py prints the plan",
    "make deploy": AWS,
    "make destroy": AWS,
    "make build": SAM,
    "make local": SAM,
    ".venv/bin/aisle --store /tmp/shop train --data FILE && "
    ".venv/bin/aisle --store /tmp/shop model show": "trains for minutes on a real catalogue",
    ".venv/bin/aisle train --data shop.csv --columns "
    "name=title,description=body,price=cost,category=dept+aisle": "trains once more; "
    "tests/functional/test_ingest.py reads such a table",
    "make research": "downloads 500 MB",
    ".venv/bin/aisle compare --data products.jsonl.gz --report report": "takes an hour; "
    "tests/functional/test_compare.py compares less",
    ".venv/bin/aisle compare --data products.jsonl.gz --quick": "needs `make research`",
}
# What a target of the Makefile runs once .venv is set up.
RUN_INSTEAD = {"make run": ".venv/bin/aisle serve"}
PLACEHOLDERS = (
    "products.jsonl.gz",
    "unseen.jsonl.gz",
    "shop.csv",
    "shop.toml",
    "EVENT",
    "VERSION",
    "FILE",
    "BUCKET/PREFIX",
)
WRAPPER = '#!/bin/sh\nPYTHONPATH={path} exec {python} {options} "$@"\n'


def blocks(text, language):
    """Return the blocks of code of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def complete(command):
    """Tell whether a command's quotes are closed, and no line of it is to be continued."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")


def commands(text):
    """Return the commands of a page's shell blocks, without comments and continued lines."""
    listed = []
    for block in blocks(text, "sh"):
        command = ""
        for line in block.splitlines():
            command += re.sub(r"\s+#.*$", "", line)
            if complete(command):
                listed.append(command)
                command = ""
            else:
                command = command.removesuffix("\\") if command.endswith("\\") else command + "\n"
        assert not command, f"this command does not end: {command}"
    return [re.sub(r"(?<=\S) {2,}", " ", command) for command in listed]


COMMANDS = [(page, command) for page in PAGES for command in commands(TEXTS[page])]
RUN = [(page, command) for page, command in COMMANDS if command not in NOT_RUN]


class Reader:
    """A reader who types the commands of the pages in an empty folder, one after the other."""

    def __init__(self, folder):
        self.folder = folder
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment = environment() | {"CURL_HOME": str(folder)}
        self.server = None
        # Curl ends with an error where the answer is one.
        (folder / ".curlrc").write_text("fail\n")
        (folder / ".venv" / "bin").mkdir(parents=True)
        path = os.pathsep.join(map(str, (ROOT, *sys.path)))
        main = shlex.quote("from aisle.cli.main import main; main()")
        for name, options in (("python", ""), ("aisle", f"-c {main}")):
            script = folder / ".venv" / "bin" / name
            script.write_text(
                WRAPPER.format(path=shlex.quote(path), python=sys.executable, options=options)
            )
            script.chmod(0o755)

    def type(self, command):
        """Run a command in the shell that the commands before have left; return how it ended."""
        command = RUN_INSTEAD.get(command, command)
        command = command.replace("localhost:8080", f"127.0.0.1:{self.port}")
        if re.match(r"\S+/aisle serve\b", command):
            return self._serve(command)
        exported = self.folder / "exported"
        done = subprocess.run(
            ["bash", "-c", f"{command}\ncode=$?\nenv -0 > {exported}\nexit $code"],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        kept = exported.read_text().split("\0")
        self.environment = dict(variable.split("=", 1) for variable in kept if variable)
        return done

    def _serve(self, command):
        """Start a server in the place of the one before, and wait until it answers."""
        self.stop()
        with (self.folder / "server.log").open("w") as log:
            self.server = subprocess.Popen(
                [*shlex.split(command), "--port", str(self.port)],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        health = f"http://127.0.0.1:{self.port}/healthz"
        until = time.monotonic() + 120
        while self.server.poll() is None and time.monotonic() < until:
            try:
                with urllib.request.urlopen(health, timeout=10):
                    return subprocess.CompletedProcess(command, 0, "", "")
            except urllib.error.URLError:
                time.sleep(0.05)
        log = (self.folder / "server.log").read_text()
        return subprocess.CompletedProcess(command, 1, "", f"It does not answer. {log}")

    def stop(self):
        """End the server."""
        if self.server is not None:
            self.server.kill()
            self.server.wait()

    def fill_in(self, command):
        """Put what the lists say into the places of EVENT and VERSION."""
        if re.search(r"\bEVENT\b", command):
            event = self._first(".venv/bin/aisle feedback review list --json")
            command = re.sub(r"\bEVENT\b", event["id"], command)
        if re.search(r"\bVERSION\b", command):
            model = self._first(".venv/bin/aisle model list --json")
            command = re.sub(r"\bVERSION\b", model["version"], command)
        return command

    def _first(self, command):
        return json.loads(self.type(command).stdout)[0]


def made_up_files(folder):
    """Write the files that the pages ask the reader for."""
    write_catalogue(folder / "unseen.jsonl.gz", products(60, seed=5))
    with (folder / "shop.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["title", "body", "cost", "dept", "aisle"])
        for row in products(120):
            names = [node["name"] for node in row["category"]]
            table.writerow([row["name"], row["description"], row["price"], names[0], names[1]])
    (folder / "shop.toml").write_text(blocks(TEXTS["docs/CATALOGUES.md"], "toml")[0])


def held_event(store):
    """Keep what a visitor of the page said, which waits for a review."""
    product = Product(name="Ostra - Moka Brewer 6 Cups")
    category = NamedCategory(path=("Kitchen", "Small Appliances", "Coffee Machines"))
    event = new_event(product, client=scopes.SITE, now=datetime.now(UTC), category=category)
    record_feedback(open_store(str(store)), event)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Type all commands that can run; give how each ended."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    made_up_files(reader.folder)
    held_event(reader.folder / "shops" / "mine")
    try:
        return {(page, command): reader.type(reader.fill_in(command)) for page, command in RUN}
    finally:
        reader.stop()


@pytest.fixture(scope="module")
def answered(outcomes):
    """Give what the packaged model answers to the README's first request."""
    asked = next(command for _, command in RUN if "/v1/predict" in command)
    return json.loads(outcomes["README.md", asked].stdout)


@pytest.fixture(scope="module")
def shown():
    """Give the response that the README shows."""
    return json.loads(blocks(README, "json")[0])


@pytest.mark.parametrize(("page", "command"), RUN, ids=[command[:70] for _, command in RUN])
def test_the_command_runs(outcomes, page, command):
    """A command ends with exit code 0, typed after those before it."""
    done = outcomes[page, command]
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_run_is_listed_with_a_reason():
    """Each command that is left out stands on a page; none is left out for good."""
    assert {command for _, command in COMMANDS} >= NOT_RUN.keys()
    assert all(NOT_RUN.values())


def test_make_run_serves():
    """What runs in the place of `make run` is the recipe of that target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(
        r"^run: setup .*\n\t@\$\(BIN\)/aisle serve --port \$\(PORT\)$", makefile, re.MULTILINE
    )


@pytest.mark.parametrize("page", PAGES)
def test_placeholders_are_marked(page):
    """The page says which names a reader has to replace."""
    typed = "\n".join(commands(TEXTS[page]))
    used = [name for name in PLACEHOLDERS if re.search(rf"(?<!\w){re.escape(name)}\b", typed)]
    prose = " ".join(TEXTS[page].split())
    assert [name for name in used if not re.search(rf"[Rr]eplace[^.]* `{name}`", prose)] == []


@pytest.mark.parametrize(
    "part", ["prediction_id", "levels", "answer", "needs_review", "model_version"]
)
def test_the_readme_shows_what_is_answered(answered, shown, part):
    """Each part of the response in the README is what the packaged model answers."""
    assert reduced(answered[part], shown[part]) == shown[part]


@pytest.mark.parametrize("part", ["category", "alternatives", "evidence"])
def test_the_readme_shows_the_beginning_of_what_is_answered(answered, shown, part):
    """Where the README shortens a list, it shows its beginning."""
    assert reduced(answered[part], shown[part]) == shown[part]


def test_the_seed_example_is_a_camera_accessory(answered):
    """The example product belongs under Cameras & Camcorders, and its words say so."""
    assert answered["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert {"GoPro", "Camera"} <= {fragment["text"] for fragment in answered["evidence"]}


def test_the_correction_is_recorded(outcomes):
    """The answer to the README's correction has the fields that the README shows."""
    sent = next(command for _, command in RUN if "/v1/feedback" in command)
    expected = json.loads(blocks(README, "json")[2])
    answer = json.loads(outcomes["README.md", sent].stdout)
    assert answer | {"feedback_id": "…"} == expected


def test_the_python_of_the_readme(capsys):
    """The example prints what its comment says."""
    (example,) = blocks(README, "python")
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102  # our own page
    assert capsys.readouterr().out.strip() == example.rpartition("# ")[2].strip()


DOCUMENTATION = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def mentioned(pattern):
    """Return what the documentation mentions between backticks, by page."""
    return [
        pytest.param(text, id=f"{page.name}: {text}")
        for page in DOCUMENTATION
        for text in dict.fromkeys(re.findall(pattern, page.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize("page", DOCUMENTATION, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    """Each link of a page to a file of the project leads to one that exists."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("target", mentioned(r"`make ([a-z-]+)[^`]*`"))
def test_a_target_that_is_mentioned_exists(target):
    """The Makefile has each target that the documentation mentions."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("module", mentioned(r"`python -m ([\w.]+)[^`]*`"))
def test_a_module_that_is_mentioned_exists(module):
    """Each module that the documentation runs can be found."""
    assert find_spec(module) is not None


@pytest.mark.parametrize("command", mentioned(r"`(?:\.venv/bin/)?aisle ((?!serve` )[^`]+)`"))
def test_a_subcommand_that_is_mentioned_exists(command):
    """The command line has each subcommand and option that the documentation mentions."""
    assert unknown_words(command) == []


def unknown_words(command):
    """Return the words of a command that are no subcommand or option where they stand."""
    current, unknown = get_command(app), []
    for word in shlex.split(command):
        subcommands = getattr(current, "commands", {})
        if word.startswith("--"):
            parameters = [*current.params, click.Option(["--help"])]
            options = {
                name for option in parameters for name in (*option.opts, *option.secondary_opts)
            }
            unknown += {word} - options
        elif word in subcommands:
            current = subcommands[word]
        elif subcommands:
            unknown.append(word)
    return unknown


def reduced(value, pattern):
    """Cut a value down to what another one shows of it: its keys, and as many items."""
    if isinstance(pattern, dict):
        return {key: reduced(value[key], pattern[key]) for key in pattern}
    if isinstance(pattern, list):
        return [reduced(item, other) for item, other in zip(value, pattern, strict=False)]
    # The last digits of a confidence are the processor's.
    return pytest.approx(value, abs=1e-3) if isinstance(value, float) else value
