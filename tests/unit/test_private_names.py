"""Tests go the public way: they use no private name of the code that they test."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))
LOOKUPS = {"attrgetter", "delattr", "getattr", "hasattr", "object", "patch", "setattr"}
FOREIGN = {"_make_api_call"}
"""The private names of other projects: botocore has no public way to see every call."""


def is_private(name):
    """Tell whether a name is private: neither `__init__` nor a protocol such as `_repr_html_`."""
    return name.startswith("_") and not name.endswith("_")


def own_names(tree):
    """Return the names that a test file defines itself, on its fakes among others."""
    nodes = [*ast.walk(tree)]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    definitions = {node.name for node in nodes if isinstance(node, kinds)}
    stored = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    attributes = {
        node.attr
        for node in stored
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
    }
    return definitions | attributes | {node.id for node in stored if isinstance(node, ast.Name)}


def looked_up(call):
    """Return the names that a call such as `setattr` looks up by their text."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    texts = [node.value for node in call.args if isinstance(node, ast.Constant)]
    return {part for text in texts if name in LOOKUPS for part in str(text).split(".")}


def private_names(source):
    """Return the private names of others that a test file imports, reads or replaces."""
    tree = ast.parse(source)
    own = own_names(tree)
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
        if isinstance(node, ast.Import):
            names |= {part for alias in node.names for part in alias.name.split(".")}
        if isinstance(node, ast.Attribute):
            inherited = ast.unparse(node.value) == "super()"
            names |= {node.attr} - (set() if inherited else own)
        if isinstance(node, ast.Call):
            names |= looked_up(node)
    return {name for name in names if is_private(name)} - FOREIGN


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_no_private_names(file):
    """A test file uses no private name of the code."""
    assert private_names(file.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from aisle.store import _secret", {"_secret"}),
        ("from aisle._store import open_store", {"_store"}),
        ("import aisle._store", {"_store"}),
        ("store._secret.url", {"_secret"}),
        ("monkeypatch.setattr('aisle.store._secret', 1)", {"_secret"}),
        ("monkeypatch.setattr(store, '_secret', 1)", {"_secret"}),
        ("getattr(store, '_secret')", {"_secret"}),
        ("class Fake(Store):\n    def _put(self): super()._put()", {"_put"}),
        ("class Fake:\n    def __init__(self): self._count = 0\nFake()._count", set()),
        ("def _helper(): ...\nclass Fake:\n    def _run(self): ...\nFake()._run()", set()),
        ("table._repr_html_(), store.__dict__", set()),
        ("print('_secret')", set()),
    ],
)
def test_private_names_are_found(source, names):
    """Imports, attributes and lookups by text count; a file's own names and protocols do not."""
    assert private_names(source) == names
