"""The folder store in several processes at once."""

import os
import subprocess
import sys
from pathlib import Path

import aisle
from aisle.store import open_store

SOURCE_ROOT = Path(aisle.__file__).parents[1]


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
    """Run a script in several processes that start together; return what each printed."""
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
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * racers
    return outputs


def test_one_winner(tmp_path: Path) -> None:
    """For each of 40 keys, exactly one of eight processes writes first."""
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
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(str(number) for number in range(40))


def test_no_lost_update(tmp_path: Path) -> None:
    """A counter that eight processes increment under if_match loses no increment."""
    script = (
        "for _ in range(15):\n"
        "    while True:\n"
        "        counter = store.get('counter')\n"
        "        try:\n"
        "            raised = str(int(counter.data) + 1).encode()\n"
        "            store.put('counter', raised, if_match=counter.etag)\n"
        "            break\n"
        "        except PreconditionFailedError:\n"
        "            pass\n"
    )
    store = open_store(str(tmp_path))
    store.put("counter", b"0")
    race(script, tmp_path, racers=8)
    assert store.get("counter").data == b"120"
    assert list(store.list("")) == ["counter"]


def test_folder_needs_no_boto3(tmp_path: Path) -> None:
    """A fresh interpreter that uses a folder store does not import boto3."""
    script = (
        "import sys; from aisle.store import open_store; store = open_store(sys.argv[1]);"
        "store.put('a', b''); store.get('a'); list(store.list(''));"
        "sys.exit(bool({'boto3', 'botocore'} & set(sys.modules)))"
    )
    with start(script, str(tmp_path / "store")) as process:
        process.communicate(timeout=300)
    assert process.returncode == 0
