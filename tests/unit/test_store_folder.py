"""What only the folder store can break: races between threads, broken writes, odd folders."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from aisle.errors import PreconditionFailedError, StoreDeniedError, StoreError
from aisle.store import FolderStore, open_store

BIG = 3 * (1 << 20) + 7  # more than one chunk, and not a whole number of them


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    """Give an empty folder store."""
    return FolderStore(tmp_path / "store")


def files_under(folder: Path) -> set[str]:
    """Name all files below a folder, including hidden ones."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("url", ["file://here/store", "here/store", "./here/store"])
def test_relative_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A relative URL is resolved when the store is opened."""
    monkeypatch.chdir(tmp_path)
    opened = open_store(url)
    monkeypatch.chdir("/")
    opened.put("a", b"")
    assert (tmp_path / "here" / "store" / "a").is_file()


def test_folder_name_with_space(tmp_path: Path) -> None:
    """A folder's URL may be escaped, as by Path.as_uri(), or not."""
    folder = tmp_path / "my 100% store"
    open_store(folder.as_uri()).put("a", b"")
    assert open_store(str(folder)).exists("a")


@pytest.mark.parametrize("rival", ["put", "delete"])
def test_unconditional_writes_wait(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, rival: str
) -> None:
    """No put or delete happens between a conditional writer's comparison and its rename."""
    etag = folder.put("a", b"one")
    inside, release, replace = threading.Event(), threading.Event(), os.replace

    def slow_replace(source: Path, target: Path) -> None:
        if not inside.is_set():
            inside.set()
            release.wait(300)
        replace(source, target)

    rivals: dict[str, Callable[[], object]] = {
        "put": lambda: folder.put("a", b"three"),
        "delete": lambda: folder.delete("a"),
    }
    monkeypatch.setattr(os, "replace", slow_replace)
    first = threading.Thread(target=folder.put, args=("a", b"two"), kwargs={"if_match": etag})
    second = threading.Thread(target=rivals[rival])
    first.start()
    assert inside.wait(300)
    second.start()
    second.join(0.3)
    waited = second.is_alive()
    release.set()
    first.join(300)
    second.join(300)
    assert waited
    assert [folder.get(key).data for key in folder.list("")] == {"put": [b"three"]}.get(rival, [])


def test_readers_see_whole_objects(folder: FolderStore) -> None:
    """A reader beside a busy writer sees whole objects only."""
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


@pytest.mark.parametrize(
    ("call", "if_absent"),
    [("write", False), ("fsync", False), ("fsync", True), ("replace", False), ("link", True)],
)
def test_failed_write(
    folder: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
    break_writes: Callable[[str], None],
    call: str,
    *,
    if_absent: bool,
) -> None:
    """A failed write leaves no object and no temporary file, and has its cause."""
    folder.put("a/old", b"old")
    break_writes(call)
    with pytest.raises(StoreError, match="No space left") as caught:
        folder.put("a/new", b"new data", if_absent=if_absent)
    monkeypatch.undo()
    assert isinstance(caught.value.__cause__, OSError)
    assert list(folder.list("")) == ["a/old"]
    assert not [name for name in files_under(Path(folder.url[7:])) if name.endswith(".tmp")]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_failed_replacement(
    folder: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
    break_writes: Callable[[str], None],
    call: str,
) -> None:
    """A failed write leaves the old object."""
    etag = folder.put("a", b"old")
    break_writes(call)
    with pytest.raises(StoreError):
        folder.put("a", b"new data", if_match=etag)
    monkeypatch.undo()
    assert folder.get("a").data == b"old"


def test_content_is_on_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write syncs new folders, then the content, then renames it, then syncs the folder."""
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
    """Locks, and temporary files of a killed process, are never listed as objects."""
    etag = folder.put("a/x", b"")
    folder.put("a/x", b"1", if_match=etag)
    root = Path(folder.url[7:])
    (root / "a" / ".aisle-0123.tmp").write_bytes(b"half")
    assert len(files_under(root)) > 1
    assert list(folder.list("")) == ["a/x"]
    assert list(folder.list("a/")) == ["a/x"]


def test_folder_is_made_by_the_first_write(folder: FolderStore) -> None:
    """Only a successful write creates the folder."""
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
    """An object has the permissions that the umask allows, not the owner's only."""
    mask = os.umask(0o022)
    try:
        folder.put("a", b"")
    finally:
        os.umask(mask)
    assert (Path(folder.url[7:]) / "a").stat().st_mode & 0o777 == 0o644


def test_links_are_followed_once(folder: FolderStore, tmp_path: Path) -> None:
    """Linked objects are listed and read; a circular link does not hang a listing."""
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
    """A file in place of the folder is a StoreError in every method, not an empty store."""
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
    """A key and one below it cannot both exist: that is a StoreError, not a lost condition."""
    folder.put("a/b/c", b"")
    with pytest.raises(StoreError) as caught:
        folder.put(key, b"", if_absent=if_absent)
    assert type(caught.value) is StoreError
    assert list(folder.list("")) == ["a/b/c"]


@pytest.mark.parametrize("method", ["get", "exists"])
def test_no_permission_is_not_absence(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A refused permission is a StoreError; it does not mean that there is no object."""
    folder.put("a", b"")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(StoreError, match="Permission denied") as caught:
        getattr(folder, method)("a")
    assert type(caught.value) is StoreDeniedError
    assert isinstance(caught.value.__cause__, PermissionError)
