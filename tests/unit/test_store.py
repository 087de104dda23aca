"""The object store: one contract for the folder and S3, then what only one of them can break.

The S3 half runs on moto, inside this process. What moto does not prove: that credentials and
policies are checked, that nobody tampered with a request, and the 409 that real S3 gives when
conditional writes collide. The 409 and the 403 are therefore played with botocore's Stubber.
"""

import dataclasses
import io
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

import aisle
from aisle import store as store_module
from aisle.errors import ObjectNotFoundError, PreconditionFailedError, StoreError
from aisle.store import FolderStore, S3Store, Store, open_store

SOURCE_ROOT = Path(aisle.__file__).parents[1]
BUCKET = "shelf"
BIG = 3 * (1 << 20) + 7  # more than one chunk, and not a whole number of them


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give boto3 settings that lead nowhere."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def s3_url(aws: None) -> Iterator[str]:
    """Give the address of a prefix in an empty bucket."""
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}/team/shop"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give an empty store of each kind."""
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_url"))
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    """Give an empty folder store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def stubbed(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Store, Stubber]]:
    """Give an S3 store whose answers the test writes, and which does not really pause."""
    client = boto3.client("s3")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with Stubber(client) as stubber:
        yield S3Store(BUCKET, "team", client=client), stubber
        stubber.assert_no_pending_responses()


def files_under(folder: Path) -> set[str]:
    """Name all files below a folder, hidden ones too."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


# The contract, on both stores.


def test_put_then_get(store: Store) -> None:
    """What was put is what is got, under the etag that put returned."""
    etag = store.put("a/b.json", b"\0one")
    found = store.get("a/b.json")
    assert (found.data, found.etag) == (b"\0one", etag)


def test_stored_object_is_frozen(store: Store) -> None:
    """A stored object cannot be changed in the reader's hands."""
    store.put("a", b"")
    with pytest.raises(dataclasses.FrozenInstanceError):
        store.get("a").data = b"x"  # type: ignore[misc]


def test_put_replaces(store: Store) -> None:
    """An unconditional put replaces the object and its etag."""
    first = store.put("a", b"one")
    second = store.put("a", b"two")
    assert first != second
    assert store.get("a").data == b"two"


@pytest.mark.parametrize("key", ["absent", "folder", "folder/file/below"])
def test_get_without_object(store: Store, key: str) -> None:
    """A key without an object raises ObjectNotFoundError, be it a folder or below an object."""
    store.put("folder/file", b"")
    with pytest.raises(ObjectNotFoundError, match=key):
        store.get(key)
    assert not store.exists(key)


def test_get_if_changed(store: Store) -> None:
    """A poll returns None until the object changes, then the new object."""
    etag = store.put("pointer", b"v1")
    assert store.get_if_changed("pointer", etag) is None
    newer = store.put("pointer", b"v2")
    found = store.get_if_changed("pointer", etag)
    assert found is not None
    assert (found.data, found.etag) == (b"v2", newer)


def test_get_if_changed_without_object(store: Store) -> None:
    """A poll of an object that went away says so, rather than that nothing changed."""
    etag = store.put("pointer", b"v1")
    store.delete("pointer")
    with pytest.raises(ObjectNotFoundError):
        store.get_if_changed("pointer", etag)


def test_if_absent(store: Store) -> None:
    """The first write wins, and the second leaves it as it is."""
    store.put("a", b"one", if_absent=True)
    with pytest.raises(PreconditionFailedError, match="Read the object"):
        store.put("a", b"two", if_absent=True)
    assert store.get("a").data == b"one"


def test_if_match(store: Store) -> None:
    """A write over the version read succeeds once, and not with the old etag again."""
    old = store.put("a", b"one")
    new = store.put("a", b"two", if_match=old)
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"three", if_match=old)
    assert store.get("a").etag == new
    assert store.get("a").data == b"two"


def test_if_match_without_object(store: Store) -> None:
    """A write over a version of nothing fails and creates nothing."""
    etag = store.put("a", b"one")
    store.delete("a")
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"two", if_match=etag)
    assert not store.exists("a")


def test_two_conditions(store: Store) -> None:
    """Two conditions at once are refused before anything is written."""
    with pytest.raises(StoreError, match="if_absent and if_match"):
        store.put("a", b"", if_absent=True, if_match="x")
    assert list(store.list("")) == []


def test_list(store: Store) -> None:
    """A listing is sorted by whole key and filtered by a prefix that is text, not a folder."""
    keys = ["m/v1/a", "m/v1-b", "m/v10/a", "m/v1/Z", "n", "m/é", "m/v1/c/d"]
    for key in keys:
        store.put(key, b"")
    assert list(store.list("")) == sorted(keys)
    assert list(store.list("m/v1/")) == ["m/v1/Z", "m/v1/a", "m/v1/c/d"]
    assert list(store.list("m/v1")) == ["m/v1-b", "m/v1/Z", "m/v1/a", "m/v1/c/d", "m/v10/a"]
    assert list(store.list("absent/")) == []
    assert list(store.list("n/")) == []


def test_empty_store(store: Store) -> None:
    """A store that nobody wrote to lists nothing and has nothing."""
    assert list(store.list("")) == []
    assert not store.exists("a")
    store.delete("a")


def test_exists_and_delete(store: Store) -> None:
    """An object is there until it is deleted; deleting it again does nothing."""
    store.put("a/b", b"")
    assert store.exists("a/b")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert list(store.list("")) == []


def test_upload_and_download(store: Store, tmp_path: Path) -> None:
    """A file of several chunks comes back byte for byte, into a folder made for it."""
    source, target = tmp_path / "in.bin", tmp_path / "new" / "out.bin"
    source.write_bytes(os.urandom(BIG))
    etag = store.upload("a/big", source)
    store.download("a/big", target)
    assert target.read_bytes() == source.read_bytes()
    assert store.get("a/big").etag == etag
    assert files_under(target.parent) == {"out.bin"}


def test_upload_if_absent(store: Store, tmp_path: Path) -> None:
    """An upload over an object fails where it was to be the first."""
    source = tmp_path / "in.bin"
    source.write_bytes(b"two")
    store.put("a", b"one")
    with pytest.raises(PreconditionFailedError):
        store.upload("a", source, if_absent=True)
    assert store.get("a").data == b"one"


def test_upload_without_file(store: Store, tmp_path: Path) -> None:
    """An upload of no file is a StoreError that names the file, and writes nothing."""
    with pytest.raises(StoreError, match=r"gone\.bin") as caught:
        store.upload("a", tmp_path / "gone.bin")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert not store.exists("a")


def test_download_without_object(store: Store, tmp_path: Path) -> None:
    """A download of nothing leaves the file that was there, and makes no folder."""
    target, unmade = tmp_path / "out.bin", tmp_path / "new" / "out.bin"
    target.write_bytes(b"old")
    for path in (target, unmade):
        with pytest.raises(ObjectNotFoundError):
            store.download("absent", path)
    assert target.read_bytes() == b"old"
    assert not unmade.parent.exists()


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_download_that_breaks(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A download that breaks leaves the old file and no half of the new one."""
    store.put("a", b"x" * BIG)
    target = tmp_path / "to" / "out.bin"
    target.parent.mkdir()
    target.write_bytes(b"old")
    break_writes(monkeypatch, call)
    with pytest.raises(StoreError, match="No space left"):
        store.download("a", target)
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert files_under(target.parent) == {"out.bin"}


BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a/..",
    "a\\b",
    "a\0b",
    "a\nb",
    "\ud800",
    ".aisle-lock",
    "a/.aisle-x.tmp",
    "a" * 256,
    "é" * 128,
    "a/" * 512 + "a",
]


@pytest.mark.parametrize(
    "call",
    [
        lambda store, key, _: store.get(key),
        lambda store, key, _: store.get_if_changed(key, "x"),
        lambda store, key, _: store.put(key, b""),
        lambda store, key, _: store.put(key, b"", if_absent=True),
        lambda store, key, _: store.exists(key),
        lambda store, key, _: store.delete(key),
        lambda store, key, path: store.upload(key, path),
        lambda store, key, path: store.download(key, path),
    ],
)
def test_refused_keys(
    store: Store, tmp_path: Path, call: Callable[[Store, str, Path], object]
) -> None:
    """No method takes a key that is malformed or could lead out, and the message names it."""
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for key in BAD_KEYS:
        with pytest.raises(StoreError) as caught:
            call(store, key, file)
        assert repr(key) in str(caught.value)
        assert not isinstance(caught.value, ObjectNotFoundError)
    assert list(store.list("")) == []
    assert file.read_bytes() == b"x"


def test_refused_prefixes(store: Store) -> None:
    """A prefix that could lead out is refused at once, not at the first step of a loop."""
    for prefix in ("/", "/a", "..", "../", "a/../", "a//", "a\\", "a\0"):
        with pytest.raises(StoreError):
            store.list(prefix)


def test_odd_but_good_keys(store: Store) -> None:
    """Dots, spaces, equals signs and letters of any script are ordinary in a key."""
    keys = ["...", ".hidden", "a b", "dt=2026-11-22/x", "a..b", "ключ/鍵", "a%20b", "a?b#c"]
    for key in keys:
        store.put(key, key.encode())
    assert list(store.list("")) == sorted(keys)
    assert [store.get(key).data for key in keys] == [key.encode() for key in keys]


def test_url_opens_the_same_store(store: Store) -> None:
    """A store's own address opens it again."""
    store.put("a", b"one")
    again = open_store(store.url)
    assert again.url == store.url
    assert again.get("a").data == b"one"


# Opening.


@pytest.mark.parametrize("url", ["file://here/store", "here/store", "./here/store"])
def test_relative_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A relative address means the folder as it was when the store was opened."""
    monkeypatch.chdir(tmp_path)
    opened = open_store(url)
    monkeypatch.chdir("/")
    opened.put("a", b"")
    assert (tmp_path / "here" / "store" / "a").is_file()


def test_folder_name_with_space(tmp_path: Path) -> None:
    """A folder's address may be escaped, as Path.as_uri() does it, or not."""
    folder = tmp_path / "my 100% store"
    open_store(folder.as_uri()).put("a", b"")
    assert open_store(str(folder)).exists("a")


@pytest.mark.parametrize("url", ["", "file://", "s3://", "s3:///key", "http://host/x", "gs://b/x"])
def test_refused_addresses(url: str) -> None:
    """An address of no known kind is refused by a message that names it and the kinds."""
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert repr(url) in str(caught.value)
    assert "s3://bucket/prefix" in str(caught.value)


@pytest.mark.usefixtures("aws")
def test_s3_prefix_is_a_key() -> None:
    """A malformed prefix is refused as a key would be."""
    with pytest.raises(StoreError, match="a//b"):
        open_store("s3://bucket/a//b")


def test_s3_prefix_is_a_wall(s3_url: str) -> None:
    """A store sees nothing beside its prefix, and a bucket's root sees all."""
    open_store(s3_url).put("a", b"")
    open_store(f"{s3_url}-other/").put("b", b"")
    assert list(open_store(s3_url).list("")) == ["a"]
    assert list(open_store(f"s3://{BUCKET}").list("")) == ["team/shop-other/b", "team/shop/a"]


def test_folder_needs_no_boto3(tmp_path: Path) -> None:
    """A fresh interpreter that uses a folder store does not import boto3."""
    script = (
        "import sys; from aisle.store import open_store; store = open_store(sys.argv[1]);"
        "store.put('a', b''); store.get('a'); list(store.list(''));"
        "sys.exit(bool({'boto3', 'botocore'} & set(sys.modules)))"
    )
    with start(script, str(tmp_path / "store")) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_s3_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the message names the extra to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StoreError, match=r"pip install 'aisle\[predict\]'"):
        open_store("s3://bucket")


@pytest.mark.usefixtures("aws")
def test_s3_with_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is no address is a StoreError with its cause."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(StoreError, match="AWS settings") as caught:
        open_store("s3://bucket")
    assert caught.value.__cause__ is not None


# The folder: races between processes, broken writes, odd folders.


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a fresh interpreter that can import aisle."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def race(script: str, folder: Path, *, racers: int) -> list[str]:
    """Run a script in several processes from one starting shot; return what each printed."""
    setting = (
        "import sys\n"
        "from aisle.errors import PreconditionFailedError\n"
        "from aisle.store import open_store\n"
        "store, me = open_store(sys.argv[1]), sys.argv[2]\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
    )
    processes = [start(setting + script, str(folder), str(number)) for number in range(racers)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * racers
    return outputs


def test_one_winner(tmp_path: Path) -> None:
    """Of eight processes that each try to be first, at each of 40 keys, exactly one is."""
    script = (
        "for number in range(40):\n"
        "    try:\n"
        "        store.put(f'race/{number}', me.encode() * 5000, if_absent=True)\n"
        "    except PreconditionFailedError:\n"
        "        continue\n"
        "    print(number, me)\n"
    )
    outputs = race(script, tmp_path, racers=8)
    wins = [line.split() for output in outputs for line in output.splitlines()]
    assert sorted(int(number) for number, _ in wins) == list(range(40))
    store = open_store(str(tmp_path))
    for number, winner in wins:
        assert store.get(f"race/{number}").data == winner.encode() * 5000
    assert files_under(tmp_path) == {str(number) for number in range(40)}


def test_no_lost_update(tmp_path: Path) -> None:
    """A counter that eight processes raise under if_match misses none of their steps."""
    script = (
        "for _ in range(15):\n"
        "    while True:\n"
        "        found = store.get('counter')\n"
        "        try:\n"
        "            raised = str(int(found.data) + 1).encode()\n"
        "            store.put('counter', raised, if_match=found.etag)\n"
        "            break\n"
        "        except PreconditionFailedError:\n"
        "            pass\n"
    )
    store = open_store(str(tmp_path))
    store.put("counter", b"0")
    race(script, tmp_path, racers=8)
    assert store.get("counter").data == b"120"
    assert list(store.list("")) == ["counter"]


@pytest.mark.parametrize("rival", ["put", "delete"])
def test_unconditional_writes_wait(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, rival: str
) -> None:
    """No put or delete slips in between a conditional writer's comparison and its rename."""
    etag = folder.put("a", b"one")
    inside, release, replace = threading.Event(), threading.Event(), os.replace

    def slow_replace(source: Path, target: Path) -> None:
        if not inside.is_set():
            inside.set()
            release.wait(10)
        replace(source, target)

    rivals: dict[str, Callable[[], object]] = {
        "put": lambda: folder.put("a", b"three"),
        "delete": lambda: folder.delete("a"),
    }
    monkeypatch.setattr(os, "replace", slow_replace)
    first = threading.Thread(target=folder.put, args=("a", b"two"), kwargs={"if_match": etag})
    second = threading.Thread(target=rivals[rival])
    first.start()
    assert inside.wait(10)
    second.start()
    second.join(0.3)
    waited = second.is_alive()
    release.set()
    first.join(10)
    second.join(10)
    assert waited
    assert [folder.get(key).data for key in folder.list("")] == {"put": [b"three"]}.get(rival, [])


def test_readers_see_whole_objects(folder: FolderStore) -> None:
    """A reader beside a busy writer never sees a mixture or a part."""
    versions = {b"a" * BIG, b"b" * 10}
    folder.put("a", b"b" * 10)
    done = threading.Event()

    def write() -> None:
        for _ in range(10):
            for data in versions:
                folder.put("a", data)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(folder.get("a").data in versions)
    writer.join()
    assert seen
    assert all(seen)


def break_writes(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Make one of the calls that a write needs fail as on a full disk."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    class FullFile(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(bytes(data)[:3])
            raise OSError(28, "No space left on device")

    def open_full(path: Path, mode: str = "r") -> object:
        return FullFile(path, mode) if "x" in mode else io.FileIO(path, mode)

    if call == "write":
        monkeypatch.setattr(Path, "open", open_full)
    else:
        monkeypatch.setattr(os, call, fail)


@pytest.mark.parametrize(
    ("call", "if_absent"),
    [("write", False), ("fsync", False), ("fsync", True), ("replace", False), ("link", True)],
)
def test_write_that_breaks(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, call: str, *, if_absent: bool
) -> None:
    """A write that breaks leaves no object and no temporary file, and gives its cause."""
    folder.put("a/old", b"old")
    break_writes(monkeypatch, call)
    with pytest.raises(StoreError, match="No space left") as caught:
        folder.put("a/new", b"new data", if_absent=if_absent)
    monkeypatch.undo()
    assert isinstance(caught.value.__cause__, OSError)
    assert list(folder.list("")) == ["a/old"]
    assert not [name for name in files_under(Path(folder.url[7:])) if name.endswith(".tmp")]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_replacement_that_breaks(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A write that breaks leaves the object that it was to replace."""
    etag = folder.put("a", b"old")
    break_writes(monkeypatch, call)
    with pytest.raises(StoreError):
        folder.put("a", b"new data", if_match=etag)
    monkeypatch.undo()
    assert folder.get("a").data == b"old"


def test_content_is_on_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write syncs new folders' names, then the content, gives it its name, and syncs that."""
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def logged_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        names = {path.stat().st_ino: path.name for path in [tmp_path, *tmp_path.rglob("*")]}
        name = "temporary" if stat.S_ISREG(status.st_mode) else names[status.st_ino]
        steps.append(f"sync {name}")
        fsync(descriptor)

    def logged_replace(source: Path, target: Path) -> None:
        steps.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(os, "replace", logged_replace)
    store = FolderStore(tmp_path)
    store.put("a/b/new", b"data")
    assert sorted(steps[:2]) == ["sync a", f"sync {tmp_path.name}"]
    assert steps[2:] == ["sync temporary", "replace", "sync b"]


def test_own_files_are_not_listed(folder: FolderStore) -> None:
    """Locks, and temporary files that a killed process left, never show up as objects."""
    etag = folder.put("a/x", b"")
    folder.put("a/x", b"1", if_match=etag)
    root = Path(folder.url[7:])
    (root / "a" / ".aisle-0123.tmp").write_bytes(b"half")
    assert len(files_under(root)) > 1
    assert list(folder.list("")) == ["a/x"]
    assert list(folder.list("a/")) == ["a/x"]


def test_folder_is_made_by_the_first_write(folder: FolderStore) -> None:
    """Opening, reading, deleting and lost conditions create nothing; a write does."""
    root = Path(folder.url[7:])
    folder.delete("a")
    assert not folder.exists("a")
    assert list(folder.list("")) == []
    with pytest.raises(PreconditionFailedError):
        folder.put("a", b"", if_match="x")
    assert not root.exists()
    folder.put("a", b"")
    assert root.is_dir()


def test_other_users_may_read(folder: FolderStore) -> None:
    """An object has the permissions that the user's mask gives, not the owner's alone."""
    mask = os.umask(0o022)
    try:
        folder.put("a", b"")
    finally:
        os.umask(mask)
    assert (Path(folder.url[7:]) / "a").stat().st_mode & 0o777 == 0o644


def test_links_are_followed_once(folder: FolderStore, tmp_path: Path) -> None:
    """Objects behind a link are listed and read; a link in a circle does not hang a listing."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_bytes(b"far")
    folder.put("a/y", b"near")
    root = Path(folder.url[7:])
    (root / "linked").symlink_to(elsewhere)
    (root / "a" / "circle").symlink_to(root)
    (root / "dangling").symlink_to(tmp_path / "gone")
    assert list(folder.list("")) == ["a/y", "linked/x"]
    assert folder.get("linked/x").data == b"far"
    assert not folder.exists("dangling")


def test_root_that_is_a_file(tmp_path: Path) -> None:
    """A file where the folder should be is a StoreError in every method, not an empty store."""
    root = tmp_path / "file"
    root.write_bytes(b"x")
    for url in (root, root / "below"):
        store = open_store(str(url))
        calls: list[Callable[[], object]] = [
            lambda store=store: store.get("a"),  # type: ignore[misc]
            lambda store=store: store.put("a", b""),  # type: ignore[misc]
            lambda store=store: store.put("a", b"", if_absent=True),  # type: ignore[misc]
            lambda store=store: store.exists("a"),  # type: ignore[misc]
            lambda store=store: store.delete("a"),  # type: ignore[misc]
            lambda store=store: store.list(""),  # type: ignore[misc]
        ]
        for call in calls:
            with pytest.raises(StoreError, match="file") as caught:
                call()
            assert type(caught.value) is StoreError
            assert isinstance(caught.value.__cause__, OSError)
    assert root.read_bytes() == b"x"


@pytest.mark.parametrize("key", ["a/b", "a/b/c/d"])
@pytest.mark.parametrize("if_absent", [False, True])
def test_key_in_the_way(folder: FolderStore, key: str, *, if_absent: bool) -> None:
    """A folder cannot keep both a key and one below it: that is a StoreError, not a lost race."""
    folder.put("a/b/c", b"")
    with pytest.raises(StoreError) as caught:
        folder.put(key, b"", if_absent=if_absent)
    assert type(caught.value) is StoreError
    assert list(folder.list("")) == ["a/b/c"]


@pytest.mark.parametrize("method", ["get", "exists"])
def test_no_permission_is_not_absence(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Where the system refuses to look, the answer is a StoreError and not "there is none"."""
    folder.put("a", b"")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(StoreError, match="Permission denied") as caught:
        getattr(folder, method)("a")
    assert type(caught.value) is StoreError
    assert isinstance(caught.value.__cause__, PermissionError)


@given(st.text(max_size=30))
def test_keys_never_escape(key: str) -> None:
    """Whatever text is given, it is refused or names a path below the root, unchanged."""
    root = Path("/root-of-store")
    try:
        store_module._check_key(key)
    except StoreError:
        return
    assert os.path.normpath(f"{root}/{key}") == f"{root}/{key}"
    assert (root / key).parts[:2] == ("/", "root-of-store")


# S3: what its answers mean.


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [(404, "NoSuchKey", "404 NoSuchKey"), (403, "AccessDenied", "s3:ListBucket")],
)
@pytest.mark.parametrize("method", ["get", "get_if_changed", "download"])
def test_s3_missing_or_forbidden(
    stubbed: tuple[S3Store, Stubber],
    tmp_path: Path,
    method: str,
    *,
    status: int,
    code: str,
    hint: str,
) -> None:
    """A missing key is not found, also to a role that S3 tells 403; the message says which."""
    store, stubber = stubbed
    stubber.add_client_error("get_object", code, http_status_code=status)
    arguments = {"get": (), "get_if_changed": ("x",), "download": (tmp_path / "out",)}[method]
    with pytest.raises(ObjectNotFoundError, match=hint) as caught:
        getattr(store, method)("a", *arguments)
    assert f"{status} {code}" in str(caught.value)
    assert "'team/a'" in str(caught.value)
    assert BUCKET in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "NoSuchBucket"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "RequestTimeTooSkewed"),
        (500, "InternalError"),
        (503, "SlowDown"),
    ],
)
def test_s3_trouble_is_not_absence(
    stubbed: tuple[S3Store, Stubber], status: int, code: str
) -> None:
    """A wrong bucket, secret or clock, or S3's own trouble, never reads as "no such object"."""
    store, stubber = stubbed
    stubber.add_client_error("get_object", code, http_status_code=status)
    with pytest.raises(StoreError, match=f"'team/a'.*'{BUCKET}'.*{code}") as caught:
        store.get("a")
    assert type(caught.value) is StoreError


def test_s3_exists_when_forbidden(stubbed: tuple[S3Store, Stubber]) -> None:
    """A role that may not know whether an object exists is not told that it does not."""
    store, stubber = stubbed
    stubber.add_client_error("head_object", "403", http_status_code=403)
    with pytest.raises(StoreError, match="403"):
        store.exists("a")


def test_s3_write_forbidden(stubbed: tuple[S3Store, Stubber]) -> None:
    """A refused write is a StoreError, neither an absence nor a lost condition."""
    store, stubber = stubbed
    stubber.add_client_error("put_object", "AccessDenied", http_status_code=403)
    with pytest.raises(StoreError, match="403 AccessDenied") as caught:
        store.put("a", b"", if_absent=True)
    assert type(caught.value) is StoreError


@pytest.mark.parametrize(
    ("condition", "sent", "status", "code"),
    [
        ({"if_absent": True}, {"IfNoneMatch": "*"}, 412, "PreconditionFailed"),
        ({"if_match": '"e"'}, {"IfMatch": '"e"'}, 412, "PreconditionFailed"),
        ({"if_match": '"e"'}, {"IfMatch": '"e"'}, 404, "NoSuchKey"),
    ],
)
def test_s3_condition_lost(
    stubbed: tuple[S3Store, Stubber],
    condition: dict[str, Any],
    sent: dict[str, str],
    *,
    status: int,
    code: str,
) -> None:
    """S3 gets the condition as a header, and its refusal is a lost condition."""
    store, stubber = stubbed
    request = {"Bucket": BUCKET, "Key": "team/a", "Body": b"x", **sent}
    stubber.add_client_error("put_object", code, http_status_code=status, expected_params=request)
    with pytest.raises(PreconditionFailedError, match=code) as caught:
        store.put("a", b"x", **condition)
    assert "earlier attempt" not in str(caught.value)


def test_s3_condition_lost_to_oneself(stubbed: tuple[S3Store, Stubber]) -> None:
    """Where the client had to retry, the message says that this very write may have won."""
    store, stubber = stubbed
    stubber.add_client_error(
        "put_object",
        "PreconditionFailed",
        http_status_code=412,
        response_meta={"RetryAttempts": 1},
    )
    with pytest.raises(PreconditionFailedError, match="earlier attempt"):
        store.put("a", b"x", if_absent=True)


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_s3_conflict_is_retried(stubbed: tuple[S3Store, Stubber], code: str) -> None:
    """A write that collided is sent again, with its condition."""
    store, stubber = stubbed
    request = {"Bucket": BUCKET, "Key": "team/a", "Body": b"x", "IfMatch": "e"}
    for _ in range(2):
        stubber.add_client_error("put_object", code, http_status_code=409, expected_params=request)
    stubber.add_response("put_object", {"ETag": '"new"'}, request)
    assert store.put("a", b"x", if_match="e") == '"new"'


def test_s3_conflict_is_retried_with_pauses(
    stubbed: tuple[S3Store, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that always collides is given up after five attempts and under two seconds."""
    store, stubber = stubbed
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    for _ in range(5):
        stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    with pytest.raises(StoreError, match="409 ConditionalRequestConflict") as caught:
        store.put("a", b"x", if_absent=True)
    assert not isinstance(caught.value, PreconditionFailedError)
    assert len(pauses) == 4
    assert pauses == sorted(pauses)
    assert 0 < sum(pauses) < 2


def test_s3_upload_is_rewound(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that collided sends the whole file again, not what was left of it."""
    client = boto3.client("s3")
    put_object, calls = client.put_object, []

    def collide_once(**request: Any) -> Any:
        calls.append(request["Body"].tell())
        if len(calls) == 1:
            request["Body"].read()
            with Stubber(client) as stubber:
                stubber.add_client_error(
                    "put_object",
                    "ConditionalRequestConflict",
                    http_status_code=409,
                    expected_params={"Bucket": ANY, "Key": ANY, "Body": ANY},
                )
                return put_object(**request)
        return put_object(**request)

    monkeypatch.setattr(client, "put_object", collide_once)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    source = tmp_path / "in.bin"
    source.write_bytes(b"whole")
    S3Store(BUCKET, "team/shop", client=client).upload("a", source)
    assert open_store(s3_url).get("a").data == b"whole"
    assert calls == [0, 0]


def test_s3_list_has_pages(stubbed: tuple[S3Store, Stubber]) -> None:
    """A listing goes through all pages, lazily, and skips folder marks."""
    store, stubber = stubbed
    first = {"Bucket": BUCKET, "Prefix": "team/m/"}
    stubber.add_response(
        "list_objects_v2",
        {
            "IsTruncated": True,
            "NextContinuationToken": "more",
            "Contents": [{"Key": "team/m/"}, {"Key": "team/m/a"}, {"Key": "team/m/b"}],
        },
        first,
    )
    listing = store.list("m/")
    assert [next(listing), next(listing)] == ["m/a", "m/b"]
    stubber.add_response(
        "list_objects_v2",
        {"IsTruncated": False, "Contents": [{"Key": "team/m/c"}]},
        {**first, "ContinuationToken": "more"},
    )
    assert list(listing) == ["m/c"]


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("list_objects_v2", lambda store: list(store.list("a"))),
        ("delete_object", lambda store: store.delete("a")),
    ],
)
def test_s3_other_refusals(
    stubbed: tuple[S3Store, Stubber], operation: str, call: Callable[[Store], object]
) -> None:
    """A refused listing or deletion is a StoreError with bucket and code."""
    store, stubber = stubbed
    stubber.add_client_error(operation, "AccessDenied", http_status_code=403)
    with pytest.raises(StoreError, match=f"{BUCKET}.*AccessDenied") as caught:
        call(store)
    assert type(caught.value) is StoreError


@pytest.mark.parametrize("method", ["get", "download"])
def test_s3_answer_cut_short(stubbed: tuple[S3Store, Stubber], tmp_path: Path, method: str) -> None:
    """An answer shorter than announced is a StoreError, and leaves no file."""
    store, stubber = stubbed
    body = StreamingBody(io.BytesIO(b"half"), content_length=8)
    stubber.add_response("get_object", {"Body": body, "ETag": '"e"'})
    arguments = {"get": (), "download": (tmp_path / "out",)}[method]
    with pytest.raises(StoreError, match="IncompleteReadError"):
        getattr(store, method)("a", *arguments)
    assert files_under(tmp_path) == set()


@pytest.mark.usefixtures("aws")
def test_s3_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed connection is a StoreError with bucket, key and cause, and without secrets."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = open_store(f"s3://{BUCKET}/team")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(StoreError, match=f"'team/a'.*'{BUCKET}'") as caught:
        store.get("a")
    assert isinstance(caught.value.__cause__, EndpointConnectionError)
    assert "hush" not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.usefixtures("aws")
def test_s3_client_is_patient_but_not_forever() -> None:
    """The client waits seconds, not minutes, and retries in standard mode."""
    config = S3Store(BUCKET)._client.meta.config
    assert config.connect_timeout <= 3  # type: ignore[attr-defined]
    assert config.read_timeout <= 10  # type: ignore[attr-defined]
    assert config.retries["mode"] == "standard"  # type: ignore[attr-defined]
