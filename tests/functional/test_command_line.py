"""The command line as a shell sees it: exit codes, the two output streams, and the server."""

import io
import json
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
from typer.testing import CliRunner

from aisle.cli.main import app, main
from aisle.model import bundle
from tests.commands import AISLE, TERMINAL, Server, environment
from tests.made_up import products, write_catalogue
from tests.waiting import LIMIT_SECONDS

GOPRO = "GoPro - Camera Mount Accessory Kit - Black"
GOPRO_SAYS = "Compatible with most GoPro cameras; includes a variety of camera mounting accessories"
ROWS = list(products(600))
GROUPS = [[], ["data"], ["feedback"], ["feedback", "review"], ["keys"], ["model"], ["stage"]]
COMMANDS = [
    ["serve"],
    ["classify"],
    ["compare"],
    ["data", "sample"],
    ["data", "describe"],
    ["data", "snapshots"],
    ["keys", "create"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["openapi"],
    ["predict"],
    ["train"],
    ["retrain"],
    ["evaluate"],
    ["feedback", "review", "list"],
    ["feedback", "review", "accept"],
    ["feedback", "review", "reject"],
    ["model", "list"],
    ["model", "show"],
    ["model", "compare"],
    ["model", "promote"],
    ["model", "rollback"],
    ["model", "verify"],
    ["model", "save"],
    ["stage", "ingest"],
    ["stage", "prepare"],
    ["stage", "fit"],
    ["stage", "export"],
    ["stage", "evaluate"],
    ["stage", "publish"],
]
FIGURES = {"rows", "labels", "accuracy", "macro_f1", "weighted_f1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give the folder that the commands run in, with a shop's files."""
    folder = tmp_path_factory.mktemp("shop")
    write_catalogue(folder / "shop.jsonl.gz", ROWS[:500])
    write_catalogue(folder / "test.jsonl", ROWS[500:])
    wrong = [row | {"category": ROWS[(7 * at) % 500]["category"]} for at, row in enumerate(ROWS)]
    write_catalogue(folder / "wrong.jsonl", wrong[:500])
    (folder / "broken.jsonl").write_text('{"name": "x"}\n{oops\n')
    return folder


@pytest.fixture(scope="module")
def shell(folder):
    """Give the function that runs a command in that folder, in a new process."""

    def run(*arguments, store="store"):
        return subprocess.run(
            [*AISLE, "--store", store, *arguments],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def aisle(folder, monkeypatch):
    """Give the function that does the same in this process, which is quicker."""
    monkeypatch.chdir(folder)
    for name, value in TERMINAL.items():
        monkeypatch.setenv(name, value)

    def run(*arguments, store="store"):
        monkeypatch.setattr(sys, "argv", ["aisle", "--store", store, *arguments])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(
            sys.argv, ended.value.code or 0, out.getvalue(), err.getvalue()
        )

    return run


@pytest.fixture(scope="module")
def trained(shell):
    """Train once on the shop's files; give the finished process."""
    return shell("train", "--data", "shop.jsonl.gz", "--test-data", "test.jsonl")


def whole(store):
    """Read all files of a store."""
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


# Help.


@pytest.mark.parametrize("command", [*GROUPS, *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(command, option):
    """Every command explains itself and exits 0."""
    result = CliRunner().invoke(app, [*command, option])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(command):
    """The help of every command shows an example of it."""
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert "Example" in result.stdout
    assert f"aisle {' '.join(command)}" in result.stdout.replace("--store shops/acme ", "")


def test_all_commands_are_in_the_help():
    """The help lists every command."""
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    names += [group.name for group in app.registered_groups]
    result = CliRunner().invoke(app, ["--help"])
    assert sorted(names) == sorted({command[0] for command in COMMANDS})
    assert all(name in result.stdout for name in names)


# train


def test_train_prints_the_version_alone(trained, folder):
    """Training exits 0, with the version on standard output and the progress on standard error."""
    (version,) = trained.stdout.split()
    assert trained.returncode == 0
    assert (folder / "store" / "models" / version / "manifest.json").exists()
    assert [line.split(":")[0] for line in trained.stderr.splitlines() if line[0].islower()] == [
        "ingest",
        "prepare",
        "fit",
        "export",
        "evaluate",
        "gate",
        "publish",
    ]


def test_refused_model_exits_3(trained, shell, folder):
    """A refusal exits 3 with a sentence; models and pointer stay byte by byte as they were.

    Only the refused model and its record are new, and the status of the last training changes.
    """
    before = whole(folder / "store" / "models")
    result = shell("train", "--data", "wrong.jsonl", "--test-data", "test.jsonl")
    assert (result.returncode, result.stdout) == (3, "")
    assert trained.stdout.strip() in result.stderr
    assert "was not published" in result.stderr
    assert "Traceback" not in result.stderr
    before.pop(folder / "store" / "models" / "training.json")
    assert before.items() <= whole(folder / "store" / "models").items()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--data", "absent.json"], "absent.json cannot be read"),
        (["train", "--data", "broken.jsonl"], "broken.jsonl is not JSON at line 2"),
        (["train", "--data", "shop.jsonl.gz", "--test-data", "absent.json"], "absent.json"),
        (["train", "--data", "shop.jsonl.gz", "--parameters", "test.jsonl"], "test.jsonl"),
        (["train", "--nonsense"], "--nonsense"),
        (["evaluate"], "--data"),
        (["evaluate", "--data", "broken.jsonl"], "broken.jsonl is not JSON at line 2"),
        (["evaluate", "--data", "test.jsonl", "--fields", "name,colour"], "colour"),
        (["evaluate", "--data", "test.jsonl", "--fields", "name,name"], "name,name"),
        (["evaluate", "--data", "test.jsonl", "--min-count", "0"], "--min-count"),
        (["model", "show", "absent"], "Model absent"),
        (["model", "verify", "--folder", "absent"], "absent"),
        (["model", "save", "test.jsonl"], "test.jsonl"),
        (["stage", "prepare", "absent"], "absent"),
        (["stage", "publish", "absent"], "Build absent"),
        (["predict"], "name or"),
        (["predict", "!!!"], "name or"),
        (["predict", "--manufacturer", "Tarn"], "name or"),
        (["predict", "kettle", "--price", "inf"], "price"),
        (["predict", "kettle", "--top-k", "21"], "--top-k"),
        (["nonsense"], "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_was_wrong_exits_2(aisle, arguments, said):
    """A usage or data error exits 2 and says what was wrong, and prints nothing else."""
    result = aisle(*arguments, store="empty")
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_data_error_is_one_line(shell):
    """A data error is one line, and the process exits 2."""
    result = shell("train", "--data", "broken.jsonl", store="empty")
    assert result.returncode == 2
    assert result.stderr.startswith("aisle: ")
    assert result.stderr.count("\n") == 1


# evaluate


def test_evaluate_prints_one_json_object(trained, aisle):
    """Standard output is one JSON object with exactly the documented fields."""
    result = aisle("evaluate", "--data", "test.jsonl", "--min-count", "10", "--json")
    figures = json.loads(result.stdout)
    assert result.returncode == 0
    assert figures.keys() == {
        "rows",
        "model_version",
        "fields",
        "levels",
        "leaf",
        "folded",
        "calibration_error",
    }
    assert (figures["rows"], figures["model_version"]) == (100, trained.stdout.strip())
    assert [level["level"] for level in figures["levels"]] == [1, 2, 3]
    assert all(level.keys() == FIGURES | {"level"} for level in figures["levels"])
    assert figures["leaf"].keys() == FIGURES
    assert figures["folded"].keys() == FIGURES | {"min_count", "calibration_error"}
    assert figures["folded"]["min_count"] == 10
    assert figures["leaf"]["accuracy"] > 0.95


def test_evaluate_withholds_fields(trained, aisle):
    """With the price alone, the accuracy is low."""
    result = aisle("evaluate", "--data", "test.jsonl", "--fields", "price", "--json")
    figures = json.loads(result.stdout)
    assert figures["fields"] == ["price"]
    assert figures["leaf"]["accuracy"] < 0.3


def test_evaluate_prints_a_table(trained, aisle):
    """Without --json, the same figures are a table."""
    result = aisle("evaluate", "--data", "test.jsonl")
    lines = [line for line in result.stdout.splitlines() if "level" in line]
    assert result.returncode == 0
    assert [line.split()[1:3] for line in lines] == [["level", "1"], ["level", "2"], ["level", "3"]]
    assert trained.stdout.strip() in result.stdout


# model


def test_model_of_the_store(trained, aisle):
    """`model show` describes the model that was trained."""
    result = aisle("model", "show", "--json")
    description = json.loads(result.stdout)
    assert description["manifest"]["model_version"] == trained.stdout.strip()
    assert description["metrics"]["test"]["rows"] == 100


@pytest.mark.parametrize("store", ["store", "empty"])
def test_model_card(trained, aisle, store):
    """`model show` prints the card of the store's model, or of the packaged one."""
    result = aisle("model", "show", store=store)
    assert result.returncode == 0
    assert "Model " in result.stdout
    assert "On the frozen test" in result.stdout


def test_saved_model_verifies_until_it_is_changed(trained, aisle, folder):
    """A saved model verifies, and no longer does once a byte is different."""
    assert aisle("model", "save", "saved").returncode == 0
    report = json.loads((folder / "saved" / "report.json").read_text(encoding="utf-8"))
    assert report["version"] == trained.stdout.strip()
    result = aisle("model", "verify", "--folder", "saved", store="empty")
    assert (result.returncode, result.stderr) == (0, "")
    assert trained.stdout.strip() in result.stdout
    with (folder / "saved" / bundle.VOCABULARY).open("ab") as file:
        file.write(b" ")
    result = aisle("model", "verify", "--folder", "saved", store="empty")
    assert (result.returncode, result.stdout) == (2, "")
    assert bundle.VOCABULARY in result.stderr


def test_packaged_model_verifies(aisle):
    """The packaged model verifies: intact files, and the predictions of its export."""
    result = aisle("model", "verify", store="empty")
    assert result.returncode == 0
    assert bundle.read(bundle.PACKAGED).manifest.model_version in result.stdout


# predict


def test_predict_with_the_packaged_model(shell):
    """With an empty store, the packaged model predicts: the GoPro kit is under cameras."""
    result = shell("predict", GOPRO, "--description", GOPRO_SAYS, "--json", store="empty")
    prediction = json.loads(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert prediction["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert prediction["model_version"] == bundle.read(bundle.PACKAGED).manifest.model_version
    assert {"GoPro", "Camera"} & {evidence["text"] for evidence in prediction["evidence"]}


def test_predict_as_text(aisle):
    """As text, the indented path comes first, then the product as typed."""
    result = aisle("predict", GOPRO, "--description", GOPRO_SAYS, store="empty")
    first, second, *_ = result.stdout.splitlines()
    assert result.returncode == 0
    assert first.startswith("Cameras & Camcorders")
    assert second.startswith("  ")
    assert GOPRO in result.stdout


def test_predict_with_the_store_s_model(trained, aisle):
    """With a model in the store, that model predicts."""
    result = aisle("predict", "stainless milk pan", "--json")
    prediction = json.loads(result.stdout)
    assert [node["name"] for node in prediction["category"]["path"]] == [
        "Kitchen",
        "Cookware",
        "Saucepans",
    ]
    assert prediction["model_version"] == trained.stdout.strip()


def test_brackets_are_text(aisle, folder):
    """Square brackets in the names of categories and files are shown as they are."""
    rows = [
        row | {"category": [{"name": f"Sale [/b] {row['category'][0]['name']}"}]} for row in ROWS
    ]
    write_catalogue(folder / "[b].jsonl", [*rows, {}])
    result = aisle("train", "--data", "[b].jsonl", store="brackets")
    assert "[b].jsonl: rows left out" in result.stderr
    result = aisle("predict", "milk pan", store="brackets")
    assert result.returncode == 0
    assert result.stdout.startswith("Sale [/b] Kitchen")


# serve


def test_serve_answers(folder):
    """The server is healthy and classifies a product with the packaged model."""
    with Server(folder) as server:
        assert server.ask("/healthz")[0] == 200
        status, prediction = server.ask("/v1/predict", name=GOPRO, description=GOPRO_SAYS)
    assert status == 200
    assert prediction["category"]["path"][0]["name"] == "Cameras & Camcorders"


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, {0, 130, -2}), (signal.SIGTERM, {0, 143, -15})]
)
def test_serve_stops_when_told(folder, how, code):
    """Ctrl-C and a container's stop end the server without a stack trace."""
    with Server(folder) as server:
        exit_code, out, err = server.stop(how)
    assert exit_code in code
    assert out == ""
    assert f"localhost:{server.port}" in err
    assert "Traceback" not in err


def test_serve_on_a_taken_port_exits_2(folder, shell):
    """A port that is taken is an ordinary error that names the port."""
    with Server(folder) as server:
        result = shell("serve", "--port", str(server.port), store="empty")
    assert result.returncode == 2
    assert str(server.port) in result.stderr
    assert "Traceback" not in result.stderr
