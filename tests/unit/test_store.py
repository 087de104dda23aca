"""What every object store promises, asked of the folder and of S3.

The S3 half runs on moto, inside this process. What moto does not prove: that credentials and
policies are checked, that nobody tampered with a request, and the 409 that real S3 gives when
conditional writes collide. test_store_s3 plays the 409 and the 403 with botocore's Stubber.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.errors import ObjectNotFoundError, PreconditionFailedError, StoreError
from aisle.store import Store, open_store
from aisle.store.interface import check_key

BIG = 3 * (1 << 20) + 7  # more than one chunk, and not a whole number of them


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give an empty store of each kind."""
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_url"))
    return open_store((tmp_path / "store").as_uri())


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
    assert list(target.parent.iterdir()) == [target]


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
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_writes: Callable[[str], None],
    call: str,
) -> None:
    """A download that breaks leaves the old file and no half of the new one."""
    store.put("a", b"x" * BIG)
    target = tmp_path / "to" / "out.bin"
    target.parent.mkdir()
    target.write_bytes(b"old")
    break_writes(call)
    with pytest.raises(StoreError, match="No space left"):
        store.download("a", target)
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


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


@pytest.mark.parametrize("url", ["", "file://", "s3://", "s3:///key", "http://host/x", "gs://b/x"])
def test_refused_addresses(url: str) -> None:
    """An address of no known kind is refused by a message that names it and the kinds."""
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert repr(url) in str(caught.value)
    assert "s3://bucket/prefix" in str(caught.value)


@given(st.text(max_size=30))
def test_keys_never_escape(key: str) -> None:
    """Whatever text is given, it is refused or names a path below the root, unchanged."""
    root = Path("/root-of-store")
    try:
        check_key(key)
    except StoreError:
        return
    assert os.path.normpath(f"{root}/{key}") == f"{root}/{key}"
    assert (root / key).parts[:2] == ("/", "root-of-store")
