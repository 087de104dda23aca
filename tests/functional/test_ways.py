"""The call lists in docs/ARCHITECTURE.md match a trace."""

import subprocess
import sys

import pytest

from tests import ways


@pytest.mark.slow
def test_lists_are_what_a_trace_shows():
    """Tracing the three calls again, in a new process, gives the lists of the page.

    If it fails because the code has changed, run `make ways` and look at the diff.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.ways", "--check"],
        cwd=ways.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}\nRun make ways to update the lists."


def test_listed_functions_are_there():
    """Each line names a function that is in its file."""
    lists = ways.listed(ways.PAGE.read_text(encoding="utf-8"))
    assert set(lists) == {"predict", "train", "correct"}
    for line in "\n".join(lists.values()).splitlines():
        file, _, name = line.strip().partition(":")
        defined = f"def {name.rpartition('.')[2]}("
        assert defined in (ways.ROOT / file).read_text(encoding="utf-8"), line


def test_lists_can_be_read():
    """Each list has between 15 and 75 lines."""
    for name, text in ways.listed(ways.PAGE.read_text(encoding="utf-8")).items():
        assert 15 <= len(text.splitlines()) <= 75, name


def test_written_lists_are_read_again():
    """What is written between the markers can be read back; the rest of the page stays."""
    page = ways.PAGE.read_text(encoding="utf-8")
    changed = ways.written(page, {"train": "a.py:b\n  a.py:c"})
    assert ways.listed(changed)["train"] == "a.py:b\n  a.py:c"
    assert ways.written(changed, ways.listed(page)) == page
