"""The wheel: what it installs, and what works without an extra."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest

from aisle.cli.main import EXTRAS
from tests.commands import Server, environment
from tests.waiting import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]
GOPRO = "GoPro - Camera Mount Accessory Kit - Black"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
WANTED = [
    "aisle/packaged/linear.safetensors",
    "aisle/py.typed",
    "aisle/serving/http/swagger/index.html",
    "aisle/serving/static_site/comparison.json",
    "aisle/serving/static_site/index.html",
    "aisle_training/parameters.toml",
]


def run(*command, cwd=ROOT):
    """Run a command in an environment without Aisle's variables."""
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=environment(),
        text=True,
        timeout=LIMIT_SECONDS,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel with the installed build tools: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder))
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def empty_environment(folder):
    """Make an environment without any package, and return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


def site_packages(folder):
    """Return where an environment keeps its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))


@pytest.fixture(scope="module")
def plain(wheel, tmp_path_factory):
    """Install the wheel with its dependencies and no extra; skip without a package index."""
    folder = tmp_path_factory.mktemp("plain")
    probe = run(*PIP, "download", "-q", "--no-deps", "-d", str(folder / "probe"), "typer")
    if probe.returncode:
        reason = f"no package index can be reached: {probe.stderr.strip().splitlines()[-1]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # The versions that everything else is tested with, so that a new release breaks nothing here.
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    versions = re.findall(r"^([\w.-]+==[^\\\n]+?) *\\?$", locked, re.MULTILINE)
    (folder / "versions.txt").write_text("\n".join(versions))
    python = empty_environment(folder / "venv")
    pinned = ["-c", str(folder / "versions.txt")]
    done = run(PIP[0], *PIP[1:], "--python", python, "install", "-q", *pinned, str(wheel))
    assert done.returncode == 0, done.stderr
    return folder / "venv" / "bin" / "aisle"


def test_only_names_of_aisle_are_installed(wheel, tmp_path):
    """The names in site-packages are aisle, or begin with aisle_."""
    python = empty_environment(tmp_path)
    done = run(*PIP, "--python", python, "install", "-q", "--no-deps", "--no-index", str(wheel))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in site_packages(tmp_path).iterdir()}
    assert {"aisle", "aisle_training", "aisle_benchmark"} <= names
    assert not [
        name
        for name in names
        if name != "aisle"
        and not name.startswith("aisle_")
        and not re.fullmatch(r"aisle-[\d.]+\.dist-info", name)
    ]
    code = "import aisle; print(aisle.__version__, aisle.__file__)"
    version, file = run(python, "-I", "-c", code, cwd=tmp_path).stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    assert f"aisle-{version}.dist-info" in names


@pytest.mark.parametrize("name", WANTED)
def test_what_has_to_be_there(wheel, name):
    """The packaged model, the page with its figures and the parameters are in the wheel."""
    assert name in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_names_no_index(wheel):
    """Neither the wheel nor its sources name a package index."""
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = [name for name in packed.namelist() if name.endswith("/METADATA")]
        written = packed.read(metadata).decode()
    locks = [path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.txt")]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.findall(
        r"index-url|--find-links|/simple\b", "\n".join([written, project, *locks])
    )


@pytest.mark.slow
def test_a_plain_installation_predicts(plain, tmp_path):
    """`aisle predict` and `import aisle` predict with the packaged model."""
    done = run(str(plain), "predict", GOPRO, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"]["name"] == "Action Camcorder Mounts"
    code = f"import aisle; print(aisle.load().predict({GOPRO!r}).answer.category.name)"
    done = run(str(plain.with_name("python")), "-I", "-c", code, cwd=tmp_path)
    assert done.stdout == "Action Camcorder Mounts\n", done.stderr


@pytest.mark.slow
def test_a_plain_installation_classifies(plain, tmp_path):
    """`aisle classify` classifies a catalogue."""
    (tmp_path / "shop.csv").write_text(f"name\n{GOPRO}\nDuracell - AAA Batteries\n")
    done = run(str(plain), "classify", "shop.csv", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_plain_installation_serves(plain, tmp_path):
    """`aisle serve` has API, page, figures and Swagger UI, and says that it cannot train."""
    with Server(tmp_path, command=[str(plain)]) as server:
        assert server.ask("/healthz")[0] == 200
        assert server.ask("/v1/predict", name=GOPRO)[0] == 200
        for path in ("/", "/comparison.json", "/v1/docs", "/v1/docs/swagger-ui.css"):
            with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=LIMIT_SECONDS) as answer:
                assert answer.read(), path
        server.process.terminate()
        log = server.process.communicate(timeout=LIMIT_SECONDS)[1]
    assert 'pip install "aisle[training]"' in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["train", "--data", "shop.csv"], "training"),
        (["train", "--feedback"], "training"),
        (["retrain"], "training"),
        (["evaluate", "--data", "shop.csv"], "training"),
        (["compare", "--data", "shop.csv"], "training"),
        (["data", "describe", "shop.csv", "--pictures", "pictures"], "training"),
        (["stage", "ingest", "--data", "shop.csv"], "training"),
        (["--store", "s3://shelf/shop", "predict", GOPRO], "s3"),
        (["classify", "s3://shelf/shop.csv", "out.csv"], "s3"),
    ],
)
def test_a_missing_extra_is_named(plain, tmp_path, arguments, extra):
    """A command that needs an extra names it and exits 2."""
    (tmp_path / "shop.csv").write_text("name,category\nSkillet,Pans\nLamp,Lamps\n")
    done = run(str(plain), *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f'pip install "aisle[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["train", "--help"], ["keys", "list"], ["model", "list"]],
)
def test_what_needs_no_extra(plain, tmp_path, arguments):
    """Help, keys and models work without any extra."""
    done = run(str(plain), *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_optional_package_has_its_extra():
    """The command line knows the extra of each optional requirement."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in ("s3", "training"):
        listed = re.search(rf"^{extra} = \[(.*?)\]$", project, re.MULTILINE | re.DOTALL).group(1)
        names = {
            re.split(r"[>=\[]", requirement)[0] for requirement in re.findall(r'"([^"]+)"', listed)
        }
        names = {"sklearn" if name == "scikit-learn" else name for name in names} - {"aisle"}
        assert names <= {name for name, of in EXTRAS.items() if of == extra}
