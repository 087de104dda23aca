"""What every object store promises, checked for the folder and for S3.

The S3 half runs on moto, in this process. Moto does not prove that credentials and policies are
checked or that requests are intact, and it never returns the 409 of colliding conditional writes.
test_store_s3 plays the 409 and the 403 with botocore's Stubber.
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
    """An object is read as it was written, with the ETag that put returned."""
    etag = store.put("a/b.json", b"\0one")
    stored = store.get("a/b.json")
    assert (stored.data, stored.etag) == (b"\0one", etag)


def test_stored_object_is_frozen(store: Store) -> None:
    """A stored object is immutable."""
    store.put("a", b"")
    with pytest.raises(dataclasses.FrozenInstanceError):
        store.get("a").data = b"x"  # type: ignore[misc]


def test_put_replaces(store: Store) -> None:
    """An unconditional put replaces the object and its ETag."""
    first = store.put("a", b"one")
    second = store.put("a", b"two")
    assert first != second
    assert store.get("a").data == b"two"


@pytest.mark.parametrize("key", ["absent", "folder", "folder/file/below"])
def test_get_without_object(store: Store, key: str) -> None:
    """A key without an object raises, even if it is a folder or lies below an object."""
    store.put("folder/file", b"")
    with pytest.raises(ObjectNotFoundError, match=key):
        store.get(key)
    assert not store.exists(key)


def test_get_if_changed(store: Store) -> None:
    """A poll returns None until the object changes, then the new object."""
    etag = store.put("pointer", b"v1")
    assert store.get_if_changed("pointer", etag) is None
    newer = store.put("pointer", b"v2")
    changed = store.get_if_changed("pointer", etag)
    assert changed is not None
    assert (changed.data, changed.etag) == (b"v2", newer)


def test_get_if_changed_without_object(store: Store) -> None:
    """A poll of a deleted object raises; it does not report "no change"."""
    etag = store.put("pointer", b"v1")
    store.delete("pointer")
    with pytest.raises(ObjectNotFoundError):
        store.get_if_changed("pointer", etag)


def test_if_absent(store: Store) -> None:
    """The first write succeeds, and the second changes nothing."""
    store.put("a", b"one", if_absent=True)
    with pytest.raises(PreconditionFailedError, match="Read the object"):
        store.put("a", b"two", if_absent=True)
    assert store.get("a").data == b"one"


def test_if_match(store: Store) -> None:
    """A write under the current ETag succeeds; a second one under the old ETag fails."""
    old = store.put("a", b"one")
    new = store.put("a", b"two", if_match=old)
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"three", if_match=old)
    assert store.get("a").etag == new
    assert store.get("a").data == b"two"


def test_if_match_without_object(store: Store) -> None:
    """A write under the ETag of a deleted object fails and creates nothing."""
    etag = store.put("a", b"one")
    store.delete("a")
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"two", if_match=etag)
    assert not store.exists("a")


def test_two_conditions(store: Store) -> None:
    """Two conditions at once are refused, and nothing is written."""
    with pytest.raises(StoreError, match="if_absent and if_match"):
        store.put("a", b"", if_absent=True, if_match="x")
    assert list(store.list("")) == []


def test_list(store: Store) -> None:
    """A listing is sorted by key and filtered by a text prefix, which need not be a folder."""
    keys = ["m/v1/a", "m/v1-b", "m/v10/a", "m/v1/Z", "n", "m/é", "m/v1/c/d"]
    for key in keys:
        store.put(key, b"")
    assert list(store.list("")) == sorted(keys)
    assert list(store.list("m/v1/")) == ["m/v1/Z", "m/v1/a", "m/v1/c/d"]
    assert list(store.list("m/v1")) == ["m/v1-b", "m/v1/Z", "m/v1/a", "m/v1/c/d", "m/v10/a"]
    assert list(store.list("absent/")) == []
    assert list(store.list("n/")) == []


def test_empty_store(store: Store) -> None:
    """An empty store has no objects and lists none."""
    assert list(store.list("")) == []
    assert not store.exists("a")
    store.delete("a")


def test_exists_and_delete(store: Store) -> None:
    """An object exists until it is deleted; deleting it again does nothing."""
    store.put("a/b", b"")
    assert store.exists("a/b")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert list(store.list("")) == []


def test_upload_and_download(store: Store, tmp_path: Path) -> None:
    """A file of several chunks is downloaded byte for byte, into a new folder."""
    source, target = tmp_path / "in.bin", tmp_path / "new" / "out.bin"
    source.write_bytes(os.urandom(BIG))
    etag = store.upload("a/big", source)
    store.download("a/big", target)
    assert target.read_bytes() == source.read_bytes()
    assert store.get("a/big").etag == etag
    assert list(target.parent.iterdir()) == [target]


def test_upload_if_absent(store: Store, tmp_path: Path) -> None:
    """An upload under if_absent fails if the object exists."""
    source = tmp_path / "in.bin"
    source.write_bytes(b"two")
    store.put("a", b"one")
    with pytest.raises(PreconditionFailedError):
        store.upload("a", source, if_absent=True)
    assert store.get("a").data == b"one"


def test_upload_without_file(store: Store, tmp_path: Path) -> None:
    """An upload of a missing file is a StoreError that names the file, and writes nothing."""
    with pytest.raises(StoreError, match=r"gone\.bin") as caught:
        store.upload("a", tmp_path / "gone.bin")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert not store.exists("a")


def test_download_without_object(store: Store, tmp_path: Path) -> None:
    """A download of a missing object leaves an existing file alone, and makes no folder."""
    target, unmade = tmp_path / "out.bin", tmp_path / "new" / "out.bin"
    target.write_bytes(b"old")
    for path in (target, unmade):
        with pytest.raises(ObjectNotFoundError):
            store.download("absent", path)
    assert target.read_bytes() == b"old"
    assert not unmade.parent.exists()


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_failed_download(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_writes: Callable[[str], None],
    call: str,
) -> None:
    """A failed download leaves the old file, and no part of the new one."""
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
    """Every method refuses a malformed key or one that could lead out; the message names it."""
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
    """A prefix that could lead out is refused at once, not on the first iteration."""
    for prefix in ("/", "/a", "..", "../", "a/../", "a//", "a\\", "a\0"):
        with pytest.raises(StoreError):
            store.list(prefix)


def test_odd_but_good_keys(store: Store) -> None:
    """Keys may contain dots, spaces, equals signs and letters of any script."""
    keys = ["...", ".hidden", "a b", "dt=2026-11-22/x", "a..b", "ключ/鍵", "a%20b", "a?b#c"]
    for key in keys:
        store.put(key, key.encode())
    assert list(store.list("")) == sorted(keys)
    assert [store.get(key).data for key in keys] == [key.encode() for key in keys]


def test_url_opens_the_same_store(store: Store) -> None:
    """A store's URL opens the same store."""
    store.put("a", b"one")
    again = open_store(store.url)
    assert again.url == store.url
    assert again.get("a").data == b"one"


@pytest.mark.parametrize("url", ["", "file://", "s3://", "s3:///key", "http://host/x", "gs://b/x"])
def test_refused_addresses(url: str) -> None:
    """An unknown kind of URL is refused; the message names it and the known kinds."""
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert repr(url) in str(caught.value)
    assert "s3://bucket/prefix" in str(caught.value)


@given(st.text(max_size=30))
def test_keys_never_escape(key: str) -> None:
    """Any text is either refused or names a path below the root, unchanged."""
    root = Path("/root-of-store")
    try:
        check_key(key)
    except StoreError:
        return
    assert os.path.normpath(f"{root}/{key}") == f"{root}/{key}"
    assert (root / key).parts[:2] == ("/", "root-of-store")
