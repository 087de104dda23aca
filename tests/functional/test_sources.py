"""One source of rows for every command: a path, a web address, an object of a bucket.

Moto stands in for S3 in most of these. It proves the requests and how responses are read. It does
not prove credentials, permissions, S3's own behaviour under load, or the network. Refusals are
written by hand, after S3's documentation.
"""

import gzip
import http.server
import json
import sys
import threading
from functools import partial
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from aisle.catalogue import download, objects
from aisle.catalogue.records import read_records
from aisle.catalogue.source import local_file
from aisle.cli.main import app
from aisle.errors import AisleError, DataError
from aisle.store.s3 import S3Store
from tests.made_up import products

ROWS = list(products(60))
DATA = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()
ADDRESS = "s3://shelf/some shop/products.jsonl.gz"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)


@pytest.fixture
def bucket(s3_url):
    """Give a client of the bucket `shelf`, in which a catalogue lies."""
    client = boto3.client("s3")
    put(client, gzip.compress(DATA))
    return client


def put(client, data):
    """Write the catalogue of the bucket."""
    client.put_object(Bucket="shelf", Key="some shop/products.jsonl.gz", Body=data)


def commands(source):
    """Return every command that reads rows, with this source."""
    return [
        ("data", "sample", source, "3"),
        ("data", "describe", source, "--json"),
        ("stage", "ingest", "--data", source),
        ("stage", "ingest", "--data", "local.jsonl", "--test-data", source),
        ("train", "--data", source),
        ("train", "--data", "local.jsonl", "--test-data", source),
        ("retrain", "--data", source),
        ("evaluate", "--data", source),
        ("compare", "--data", source),
        ("classify", source, "out.csv", "--workers", "1"),
    ]


def named(command):
    """Name a test after the command's words."""
    return " ".join(word for word in command if "://" not in word)


@pytest.mark.parametrize("command", commands("s3://shelf/absent.jsonl"), ids=named)
def test_every_command_asks_the_bucket(bucket, command):
    """No command mistakes an S3 address for a path: each reports what S3 answered."""
    Path("local.jsonl").write_bytes(DATA)
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, AisleError), result.output
    assert "s3://shelf/absent.jsonl could not be fetched" in str(result.exception)
    assert "404 NoSuchKey" in str(result.exception)


@pytest.mark.parametrize("command", commands("ftp://me:hush@shop/products.csv"), ids=named)
def test_every_command_refuses_other_addresses(command):
    """The error names an unsupported address without its secret, and the supported ones."""
    Path("local.jsonl").write_bytes(DATA)
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, AisleError), result.output
    assert "ftp:// is not supported" in str(result.exception)
    assert "s3://bucket/key" in str(result.exception)
    assert "hush" not in str(result.exception)


@pytest.mark.parametrize("command", commands("x"), ids=named)
def test_every_command_says_what_it_takes(command):
    """Each help text says that a source may be a file, a web address or an object."""
    words = command[:2] if command[0] in {"data", "stage"} else command[:1]
    text = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).output
    assert "s3://" in text


def test_commands_read_from_a_bucket(bucket):
    """The rows of an object are those of the uploaded file, unpacked."""
    assert [record.raw for record in read_records(ADDRESS)] == ROWS
    runner = CliRunner()
    result = runner.invoke(app, ["data", "sample", ADDRESS, "100"])
    assert len(result.stdout.splitlines()) == len(ROWS)
    result = runner.invoke(app, ["data", "describe", ADDRESS, "--json"])
    assert json.loads(result.stdout)["products"] == len(ROWS)
    result = runner.invoke(app, ["evaluate", "--data", ADDRESS, "--json"])
    assert json.loads(result.stdout)["rows"] == len(ROWS)
    result = runner.invoke(app, ["stage", "ingest", "--data", ADDRESS, "--test-data", ADDRESS])
    manifest = Path(".aisle/datasets/base", result.stdout.strip(), "manifest.json")
    sources = json.loads(manifest.read_text())["sources"]
    assert [source["url"] for source in sources] == [ADDRESS, ADDRESS]


def test_what_is_there_unchanged_is_not_sent_again(bucket, monkeypatch):
    """An object with the same ETag is not downloaded again; a changed one is."""
    path, name = local_file(ADDRESS)
    assert (path.name, name) == ("products.jsonl.gz", ADDRESS)
    written = []
    keep = download.Download.keep
    monkeypatch.setattr(
        download.Download, "keep", lambda *arguments: written.append(arguments) or keep(*arguments)
    )
    assert local_file(ADDRESS)[0] == path
    assert written == []
    put(bucket, DATA)
    assert local_file(ADDRESS)[0].read_bytes() == DATA
    assert len(written) == 1


@pytest.fixture
def broken_off(bucket, monkeypatch):
    """Give the offsets of resumed requests; the first download breaks off halfway."""
    starts, cut = [], iter([True])
    rest = S3Store.stream_rest
    keep = download.Download.keep

    def keep_half(self, blocks, start, version):
        data = b"".join(blocks)
        keep(self, [data[: len(data) // 2] if next(cut, None) else data], start, version)

    monkeypatch.setattr(download.Download, "keep", keep_half)
    monkeypatch.setattr(
        S3Store,
        "stream_rest",
        lambda *arguments, start: starts.append(start) or rest(*arguments, start=start),
    )
    return starts


def test_download_goes_on_where_it_broke_off(bucket, broken_off):
    """Only the rest is requested, and the file is complete."""
    size = len(gzip.compress(DATA))
    assert gzip.decompress(local_file(ADDRESS)[0].read_bytes()) == DATA
    assert broken_off == [size // 2]


def test_half_of_another_object_is_forgotten(bucket, broken_off, monkeypatch):
    """Where the object has changed meanwhile, the half of the old one is discarded."""
    monkeypatch.setattr(download, "ATTEMPTS", 0)
    with pytest.raises(DataError, match="connection ended after"):
        local_file(ADDRESS)
    put(bucket, DATA)
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    assert local_file(ADDRESS)[0].read_bytes() == DATA
    assert broken_off == [len(gzip.compress(DATA)) // 2]


@pytest.fixture
def said(aws, monkeypatch):
    """Give the function that reads an object which S3 refuses, and returns the error."""

    def ask(status, code):
        client = boto3.client("s3")
        store = S3Store("shelf", client=client)
        monkeypatch.setattr(objects, "open_store", lambda _url: store)
        with Stubber(client) as stubber:
            stubber.add_client_error("get_object", code, http_status_code=status)
            with pytest.raises(DataError) as failed:
                local_file(ADDRESS)
        return str(failed.value)

    return ask


def test_absent_denied_and_unreachable_differ(said, monkeypatch):
    """Each error says what S3 answered, names the address, and says what to do."""
    absent, denied = said(404, "NoSuchKey"), said(403, "AccessDenied")
    no_bucket = said(404, "NoSuchBucket")
    monkeypatch.undo()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(DataError) as failed:
        local_file(ADDRESS)
    unreachable = str(failed.value)
    assert "Check key, bucket and prefix" in absent
    assert "s3:GetObject. Grant both" in denied
    assert "NoSuchBucket" in no_bucket
    assert "Check the network" in unreachable
    assert "hush" not in unreachable
    assert all(ADDRESS in text for text in (absent, denied, no_bucket, unreachable))


@pytest.mark.parametrize(
    "address", ["s3://", "s3://shelf", "s3://shelf/", "s3:///key", "s3://shelf/folder/"]
)
def test_address_of_no_object(address):
    """An address without a bucket or a key is refused."""
    with pytest.raises(DataError, match="not the address of an object"):
        local_file(address)
    result = CliRunner().invoke(app, ["classify", "local.jsonl", f"{address}/.csv/"])
    assert result.exit_code != 0


def test_without_boto3_the_extra_is_named(monkeypatch):
    """Where boto3 is not installed, the message says how to install it."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "aisle.store.s3", raising=False)
    with pytest.raises(AisleError, match=r'pip install "aisle\[s3\]"'):
        local_file(ADDRESS)


def test_paths(tmp_path, monkeypatch):
    """A path may be relative, begin with a tilde, or be written as an address."""
    file = tmp_path / "my shop.jsonl"
    file.write_bytes(DATA)
    monkeypatch.setenv("HOME", str(tmp_path))
    tilde, address = "~/my shop.jsonl", file.as_uri()
    for source in ("my shop.jsonl", "./my shop.jsonl", str(file), file, tilde, address):
        assert [record.raw for record in read_records(source)] == ROWS
    assert local_file("~nobody-of-that-name/x")[0] == Path("~nobody-of-that-name/x")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Answers with the files of a folder."""

    def log_message(self, *_):
        """Say nothing."""


def test_commands_read_from_the_web(tmp_path):
    """The same commands read from a web server."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "products.jsonl.gz").write_bytes(gzip.compress(DATA))
    handler = partial(Quiet, directory=tmp_path / "web")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/products.jsonl.gz"
        result = CliRunner().invoke(app, ["data", "describe", address, "--json"])
        again = CliRunner().invoke(app, ["evaluate", "--data", address, "--json"])
        absent = CliRunner().invoke(app, ["evaluate", "--data", f"{address}.no", "--json"])
        server.shutdown()
        thread.join()
    assert json.loads(result.stdout)["products"] == len(ROWS)
    assert json.loads(again.stdout)["rows"] == len(ROWS)
    assert "the server answered 404" in str(absent.exception)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "file://",
        "a\0b",
        "\ud800",
        "file:///a%00b",
        Path("a\0b"),
        Path("\ud800"),
        "http:/me:hush@x/y",
    ],
)
def test_what_names_no_file(source):
    """A string that cannot be a path raises an error of this package with the given value."""
    with pytest.raises(
        DataError, match=r"does not name a file|cannot be a path|a complete address"
    ) as failed:
        local_file(source)
    assert "hush" not in str(failed.value)


def test_a_path_of_an_address():
    """`Path` removes a slash from an address, and the message says so."""
    with pytest.raises(DataError, match="not as a Path"):
        local_file(Path("s3://shelf/products.jsonl"))


@pytest.mark.parametrize(
    "source",
    [
        "http://me:hush@[::1/x?sig=hush",
        "http://me:hu/hush@127.0.0.1:9/x",
        "http://me:hush@\u2100.example/x",
        "http://127.0.0.1:9/\ud800?hush",
        "s3://me:hush@shelf/x",
        "s3://me:hu/hush@shelf/x",
        "s3://me:hush@/x",
    ],
)
def test_no_message_has_a_secret(source):
    """Whatever is wrong with an address, the message leaves out its password and query."""
    with pytest.raises(DataError) as failed:
        local_file(source)
    assert "hush" not in str(failed.value)


@pytest.mark.parametrize("key", ["a//b.jsonl", "/b.jsonl", "a\\b.jsonl", ".aisle-x/b.jsonl"])
def test_keys_that_only_s3_knows(bucket, key):
    """A catalogue under a key that Aisle itself would not write can be read."""
    bucket.put_object(Bucket="shelf", Key=key, Body=DATA)
    assert local_file(f"s3://shelf/{key}")[0].read_bytes() == DATA


@pytest.mark.parametrize("key", ["a/../b.jsonl", "./b.jsonl", "b\ud800.jsonl", "b\0.jsonl"])
def test_keys_that_cannot_be_asked_for(bucket, key):
    """A key with dot segments is refused: the web would normalize it to another object."""
    with pytest.raises(DataError, match="Copy the object to another key"):
        local_file(f"s3://shelf/{key}")
