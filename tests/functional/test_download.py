"""Catalogues by address, from a server on this machine: downloaded once, resumed, checked."""

import hashlib
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from aisle.catalogue import download
from aisle.catalogue.download import fetch
from aisle.catalogue.records import read_records
from aisle.errors import DataError
from aisle_training.data.fetch import open_data_set
from tests.made_up import products
from tests.waiting import LIMIT_SECONDS

DATA = json.dumps(list(products(2000))).encode()
CUT = len(DATA) // 3


class Shop(http.server.ThreadingHTTPServer):
    """A server of one file that can misbehave on request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.etag, self.modified = DATA, '"one"', None
        self.ranges, self.length, self.cuts, self.status = True, True, 0, None
        self.asked = []

    def address(self, name="products.json"):
        """Give the address of the file."""
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the file, or with the part that was asked for."""

    def do_GET(self):
        """Answer as the server's settings say."""
        shop, headers = self.server, self.headers
        shop.asked.append(dict(headers))
        start = int(headers.get("Range", "bytes=0-")[6:-1])
        same = headers.get("If-Range") in {None, shop.etag, shop.modified}
        known = "If-None-Match" in headers and headers["If-None-Match"] == shop.etag
        partial = "Range" in headers and shop.ranges and same
        body = shop.data[start:] if partial else shop.data
        status = 206 if partial else 200
        status = 416 if partial and not body else status
        status = shop.status or (304 if known else status)
        self.send_response(status)
        for name, value in (("ETag", shop.etag), ("Last-Modified", shop.modified)):
            self.send_header(name, value) if value else None
        if status == 206:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(shop.data) - 1}/{len(shop.data)}"
            )
        body = body if status in {200, 206} else b""
        self.send_header("Content-Length", str(len(body))) if shop.length else None
        self.end_headers()
        shop.cuts -= 1
        self.wfile.write(body[:CUT] if shop.cuts >= 0 else body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def shop():
    """Give a server of a catalogue."""
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(download, "ATTEMPTS", 2)


def test_fetched_whole_with_its_hash_beside(shop, tmp_path):
    """A file arrives unchanged under its own name, with its SHA-256 in sha256sum's format."""
    path = fetch(shop.address() + "?signature=secret", cache=tmp_path)
    digest = hashlib.sha256(DATA).hexdigest()
    assert path.name == "products.json"
    assert path.read_bytes() == DATA
    assert path.with_name("products.json.sha256").read_text() == f"{digest}  products.json\n"
    assert all(".part" not in file.name for file in path.parent.iterdir())


def test_read_by_address(shop, tmp_path, monkeypatch):
    """The rows behind an address are those of the file."""
    monkeypatch.chdir(tmp_path)
    assert [record.raw for record in read_records(shop.address())] == json.loads(DATA)


def test_open_data_set_is_fetched_once(shop, tmp_path):
    """The open data set is downloaded once, and again if the file on the disk has changed."""
    path = open_data_set(shop.address(), tmp_path)
    assert open_data_set(shop.address(), tmp_path) == path
    assert len(shop.asked) == 1
    path.write_bytes(DATA[:-1])
    assert open_data_set(shop.address(), tmp_path).read_bytes() == DATA


def test_shop_s_own_address_is_asked_again(shop, tmp_path):
    """A shop's file is downloaded again when it has changed, and only then."""
    first = fetch(shop.address(), cache=tmp_path)
    assert fetch(shop.address(), cache=tmp_path) == first
    assert shop.asked[1]["If-None-Match"] == '"one"'
    shop.data, shop.etag = DATA + b"\n", '"two"'
    assert fetch(shop.address(), cache=tmp_path).read_bytes() == DATA + b"\n"


@pytest.mark.parametrize(
    ("etag", "modified", "condition"),
    [
        ('"one"', None, '"one"'),
        ('W/"one"', "Sun, 22 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT"),
        (None, "Sun, 22 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT"),
        (None, None, None),
    ],
)
def test_resumed_where_it_broke_off(shop, tmp_path, etag, modified, condition):
    """After a break, only the rest is requested, on condition that the file is unchanged."""
    shop.etag, shop.modified, shop.cuts = etag, modified, 2
    assert fetch(shop.address(), cache=tmp_path).read_bytes() == DATA
    assert [headers.get("Range") for headers in shop.asked] == [
        None,
        f"bytes={CUT}-",
        f"bytes={2 * CUT}-",
    ]
    assert shop.asked[1].get("If-Range") == condition


def test_resumed_by_the_next_run(shop, tmp_path):
    """The next download resumes after the bytes that had arrived when the connection broke."""
    shop.cuts = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download.time, "sleep", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(shop.address(), cache=tmp_path)
    assert fetch(shop.address(), cache=tmp_path).read_bytes() == DATA
    assert shop.asked[-1]["Range"] == f"bytes={CUT}-"


def _interrupt(_):
    raise KeyboardInterrupt


def test_without_ranges_it_begins_again(shop, tmp_path):
    """Where a server cannot send a part and sends the whole file, nothing is duplicated."""
    shop.ranges, shop.cuts = False, 1
    assert fetch(shop.address(), cache=tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("etag", ['"one"', None])
def test_two_halves_of_two_files_are_not_put_together(shop, tmp_path, monkeypatch, etag):
    """Where the file changed between the halves, it is downloaded from the start."""
    shop.etag, shop.cuts = etag, 1

    def change(_):
        shop.data, shop.etag = DATA.replace(b"Pan", b"Pot") + b" ", etag and '"two"'

    monkeypatch.setattr(download.time, "sleep", change)
    content = fetch(shop.address(), cache=tmp_path).read_bytes()
    assert content == DATA.replace(b"Pan", b"Pot") + b" "


def test_cut_after_the_last_byte(shop, tmp_path):
    """A run killed after the last byte but before the rename is finished by the next."""
    path = fetch(shop.address(), cache=tmp_path)
    path.rename(path.with_name(path.name + ".part"))
    path.with_name(path.name + ".version.json").rename(
        path.with_name(path.name + ".part.version.json")
    )
    assert fetch(shop.address(), cache=tmp_path).read_bytes() == DATA
    assert len(shop.asked) == 2


def test_always_cut_at_the_same_place_ends(shop, tmp_path):
    """After several attempts without progress, the error says what has arrived and what to do."""
    shop.ranges, shop.cuts = False, 99
    with pytest.raises(DataError, match=rf"ended after {CUT:,} of {len(DATA):,} bytes"):
        fetch(shop.address(), cache=tmp_path)
    assert len(shop.asked) < 6


@pytest.mark.parametrize("status", [403, 404, 500])
def test_server_that_refuses(shop, tmp_path, status):
    """The error has the server's answer, but no secret from the address."""
    shop.status = status
    address = shop.address().replace("127", "me:hush@127", 1) + "?signature=hush"
    with pytest.raises(DataError, match=f"the server answered {status}") as failed:
        fetch(address, cache=tmp_path)
    assert "hush" not in str(failed.value)
    assert shop.asked[0]["Authorization"] == "Basic bWU6aHVzaA=="
    assert len(shop.asked) < 2


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/x.json", "http://[", "http://", "https://127.0.0.1:99999/x"]
)
def test_no_server(tmp_path, address):
    """An address where nothing answers is a data error that names it, without a retry."""
    with pytest.raises(DataError, match=re.escape(address)):
        fetch(address, cache=tmp_path)


def test_open_data_set_out_of_reach_names_data(tmp_path):
    """Without the internet, the error says how to train on one's own catalogue."""
    with pytest.raises(DataError, match=r"could not be fetched.*--data FILE"):
        open_data_set("http://127.0.0.1:1/products.json", tmp_path)


def test_ingest_by_address(shop, tmp_path):
    """The command takes an address and records the file, without the secret in the address."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("AISLE_")
    }
    command = [sys.executable, "-c", "from aisle.cli.main import main; main()"]
    result = subprocess.run(
        [*command, "stage", "ingest", "--data", shop.address() + "?signature=hush"],
        cwd=tmp_path,
        env=environment | {"TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    folder = tmp_path / ".aisle" / "datasets" / "base" / result.stdout.strip()
    (source,) = json.loads((folder / "manifest.json").read_text())["sources"]
    assert source["file"] == "products.json"
    assert source["url"] == shop.address()
    assert source["sha256"] == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: gopher://x/y?sig=hush\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://me:hush@127.0.0.1/y?sig=hush\r\n\r\n",
        b"HTTP/1.1 403 \x1b[2Jno\r\n\r\n",
        b"\x1b[2J\x07" + b"garbage " * 100 + b"\r\n\r\n",
    ],
)
def test_an_answer_does_not_speak_in_our_name(answer):
    """Neither the secret of a redirect nor terminal control characters get into a message."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply():
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        threading.Thread(target=reply, daemon=True).start()
        with pytest.raises(DataError, match="could not be fetched") as failed:
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}/x")
    assert "hush" not in str(failed.value)
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 600
