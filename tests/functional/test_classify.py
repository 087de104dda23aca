"""`aisle classify`: whole catalogues, in order, and resumable at any moment."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
import typer
from moto import mock_aws

from aisle.catalogue import bulk
from aisle.catalogue.results import HEADER, Result, ResultFormat
from aisle.cli.use import classify as use_classify
from aisle.errors import DataError
from aisle.store import open_store
from tests.made_up import products, write_catalogue
from tests.waiting import LIMIT_SECONDS, wait_until

# The command with a checkpoint after every chunk, so that there is soon something to resume from.
COMMAND = (
    "from aisle.catalogue import bulk; bulk.CHECKPOINT_SECONDS = 0; "
    "from aisle.cli.main import main; main()"
)


@pytest.fixture
def aisle(tmp_path):
    """Give the function that runs the command in the test's own folder."""

    def run(*arguments, **options):
        command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
        return subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            **options,
        )

    return run


@pytest.fixture
def catalogue(tmp_path):
    """Give a file of 700 made-up products, one of them unusable."""
    rows = [*products(700)]
    rows[300] = {"sku": "empty", "name": " ", "description": None}
    return write_catalogue(tmp_path / "shop.jsonl", rows)


def test_every_row_in_order(aisle, catalogue, tmp_path):
    """The results are the input's rows, in their order, each with its category or its reason."""
    done = aisle("classify", catalogue, "out.jsonl", "--workers", 2)
    assert (done.returncode, done.stdout) == (0, "out.jsonl\n")
    results = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["line"] for row in results] == list(range(1, 701))
    assert [at for at, row in enumerate(results) if row["error"]] == [300]
    assert all(row["category"] and 0 < row["confidence"] <= 1 for row in results[:300])
    assert "1 of them unusable" in done.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.jsonl.gz"])
def test_formats_say_the_same(aisle, catalogue, tmp_path, name):
    """A table has the same rows as JSON lines; either may be compressed."""
    assert aisle("classify", catalogue, name, "--workers", 1).returncode == 0
    data = (tmp_path / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    table = name.startswith("out.csv")
    rows = list(csv.DictReader(text.splitlines())) if table else map(json.loads, text.splitlines())
    assert [int(row["line"]) for row in rows] == list(range(1, 701))


def test_workers_change_nothing(aisle, catalogue, tmp_path):
    """One process and several write the same bytes."""
    for workers in (1, 3):
        aisle("classify", catalogue, f"out{workers}.csv", "--workers", workers)
    assert (tmp_path / "out1.csv").read_bytes() == (tmp_path / "out3.csv").read_bytes()


@pytest.mark.slow
def test_killed_at_ten_moments(aisle, tmp_path):
    """Killed after each of ten checkpoints, it writes what an undisturbed run writes."""
    catalogue = write_catalogue(tmp_path / "shop.jsonl", products(6_000))
    aisle("classify", catalogue, "whole.csv", "--workers", 1)
    command = [sys.executable, "-c", COMMAND, "classify", str(catalogue), "killed.csv"]
    said = tmp_path / "said.txt"
    progress = tmp_path / "killed.csv.progress"
    for _ in range(10):
        before = _last_change(progress)
        with said.open("ab") as log:
            process = subprocess.Popen(
                [*command, "--workers", "1"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=log
            )
            # The kill comes soon after this run's first checkpoint, at whatever row that is.
            wait_until(partial(_has_moved_on, progress, before, process), "a checkpoint")
            process.kill()
            process.wait()
    aisle("classify", catalogue, "killed.csv", "--workers", 1)
    assert "Resuming after" in said.read_text()
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / "killed.csv.part").exists()


def test_stopped_by_hand(aisle, tmp_path):
    """Ctrl-C ends the run with a sentence and exit code 130; the results so far stay."""
    catalogue = write_catalogue(tmp_path / "shop.jsonl", products(40_000))
    # Where the tests run in the background, the shell may make them ignore Ctrl-C.
    heeded = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {COMMAND}"
    command = [sys.executable, "-c", heeded, "classify", str(catalogue), "out.csv"]
    with subprocess.Popen(
        [*command, "--workers", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until((tmp_path / "out.csv.progress").exists, "a checkpoint")
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 130
    assert "again to resume" in said
    assert "Traceback" not in said
    assert (tmp_path / "out.csv.part").exists()
    assert not (tmp_path / "out.csv").exists()


def test_another_input_begins_anew(catalogue, tmp_path):
    """A run does not resume from the results of another input."""
    target = tmp_path / "out.csv"
    (tmp_path / "out.csv.part").write_bytes(b"x" * 100)
    state = {"identity": {"input": "this"}, "rows": 256, "size": 100}
    (tmp_path / "out.csv.progress").write_text(json.dumps(state))
    assert bulk.Bulk(target, {"input": "this"}).done_before() == 256
    assert bulk.Bulk(target, {"input": "another"}).done_before() == 0


@pytest.mark.parametrize("state", ["", "{", "[]", '{"rows": 256}'])
def test_spoilt_progress_begins_anew(tmp_path, state):
    """A run whose progress file is unreadable starts from the beginning."""
    (tmp_path / "out.csv.progress").write_text(state)
    assert bulk.Bulk(tmp_path / "out.csv", {}).done_before() == 0


def test_part_that_was_cut_off_begins_anew(tmp_path):
    """A run does not resume from results that are shorter than the progress file says."""
    (tmp_path / "out.csv.part").write_bytes(b"short")
    state = {"identity": {}, "rows": 256, "size": 100}
    (tmp_path / "out.csv.progress").write_text(json.dumps(state))
    assert bulk.Bulk(tmp_path / "out.csv", {}).done_before() == 0


@pytest.mark.parametrize("target", ["shop.jsonl", "./shop.jsonl", "out.xlsx", "out"])
def test_target_that_cannot_be(aisle, catalogue, target):
    """The command refuses to overwrite the catalogue, and a target of unknown format."""
    before = catalogue.read_bytes()
    assert aisle("classify", "shop.jsonl", target).returncode == 2
    assert catalogue.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("file://{folder}/shop.csv", "shop.csv"),
        ("file://{folder}/sh%6fp.csv", "{folder}/shop.csv"),
        ("~/shop.csv", "{folder}/shop.csv"),
        ("shop.csv", "~/shop.csv"),
        ("link.csv", "shop.csv"),
        ("shop.csv", "hard.csv"),
        ("{folder}/x/../shop.csv", "shop.csv"),
        ("half.csv.part", "half.csv"),
        ("half.csv.progress", "half.csv"),
        ("s3://shop/k.csv", "S3://shop/k.csv"),
    ],
)
def test_results_never_go_over_the_catalogue(source, target, monkeypatch, tmp_path):
    """The command sees that input and output are the same file, however they are written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    shop = tmp_path / "shop.csv"
    shop.write_text("name\nlamp\n")
    (tmp_path / "link.csv").symlink_to(shop)
    (tmp_path / "hard.csv").hardlink_to(shop)
    (tmp_path / "x").mkdir()
    with pytest.raises(typer.BadParameter, match="overwrite"):
        use_classify.classify(None, *(name.format(folder=tmp_path) for name in (source, target)))


@pytest.mark.parametrize(
    "target", ["s3:/shop/x.csv", "s3://shop/a//b.csv", "s3://me:pw@shop/x.csv"]
)
def test_an_address_that_is_none_is_refused_first(target):
    """Where the results could not be written in the end, nothing is read either."""
    with pytest.raises(DataError) as failed:
        use_classify.classify(None, "absent.csv", target)
    assert "pw" not in str(failed.value)


def test_a_tilde_in_the_target(aisle, tmp_path):
    """A tilde in the target means the home folder, as it does in the source."""
    (tmp_path / "home").mkdir()
    write_catalogue(tmp_path / "home" / "shop.jsonl", products(3))
    home = {"HOME": str(tmp_path / "home")}
    done = aisle("classify", "~/shop.jsonl", "~/out.csv", "--workers", 1, env=os.environ | home)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "home" / "out.csv").exists()


def test_input_that_breaks_off_writes_nothing(aisle, catalogue, tmp_path):
    """A file that cannot be read to its end is an error, and nothing is written."""
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(catalogue.read_bytes())[:-2000])
    done = aisle("classify", broken, "out.csv")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("out.csv*"))


@pytest.mark.parametrize("start", [*"=+-@", "\t", "\r"])
def test_no_cell_is_a_formula(start):
    """In a table, a text that a spreadsheet would run as a formula gets an apostrophe."""
    result = Result(1, "A1", f"{start}cmd|' /C calc'!A0", None, "unusable")
    (row,) = csv.reader([ResultFormat.of("out.csv").encode([result]).decode()])
    assert row[HEADER.index("name")].startswith("'")


def test_a_table_has_no_control_characters():
    """Characters that a table cannot hold become spaces."""
    result = Result(1, "A1", "pan\x00\x1bset", None, "unusable")
    (row,) = csv.reader([ResultFormat.of("out.csv").encode([result]).decode()])
    assert row[HEADER.index("name")] == "pan  set"


def test_to_and_from_the_store(catalogue, monkeypatch, tmp_path):
    """A catalogue is read from a bucket and its results go to one.

    Moto stands in for S3. It proves the calls, not credentials, permissions or the network.
    """
    import boto3
    from typer.testing import CliRunner

    from aisle.cli.main import app

    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="shop")
        store = open_store("s3://shop/in")
        store.upload("products.jsonl", catalogue)
        arguments = ["classify", "s3://shop/in/products.jsonl", "s3://shop/out/all.csv"]
        result = CliRunner().invoke(app, [*arguments, "--workers", "1"])
        assert result.exit_code == 0, result.output
        written = open_store("s3://shop/out").get("all.csv").data
    assert len(written.decode().splitlines()) == 701


def _has_moved_on(progress, before, process):
    """Tell whether a run has written a checkpoint, or has ended."""
    return _last_change(progress) != before or process.poll() is not None


def _last_change(path):
    """Tell when a file was last replaced; `None` where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
