"""Every word of docs/GLOSSARY.md is used in the file that the glossary names as its owner."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(
    r"\| \*\*(?P<word>[^*]+)\*\*.* \| .+ \| \[[^]]+\]\((?P<file>[^)]+)\)(?: `(?P<name>[^`]+)`)? \|"
)
LINES = [
    line
    for line in (DOCS / "GLOSSARY.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| **")
]
ROWS = [match.groups() for match in map(ROW.fullmatch, LINES) if match]


def plain(text):
    """Write a text with single spaces between its words, and without capitals."""
    return re.sub(r"[\W_]+", " ", text).casefold()


def test_every_row_is_read():
    """No row has another form than the tests below read, and there are some thirty at least."""
    assert len(ROWS) == len(LINES) >= 30


@pytest.mark.parametrize(("word", "file", "name"), ROWS, ids=[word for word, *_ in ROWS])
def test_the_owner_uses_the_word(word, file, name):
    """The file that owns a word exists, and has the word, or the name that the row gives for it."""
    assert plain(name or word) in plain((DOCS / file).read_text(encoding="utf-8"))
