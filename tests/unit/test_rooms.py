"""The tree explains the architecture: small folders, rooms that say what belongs, one name each."""

import ast
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("functions", "training", "benchmark")
FOLDERS = sorted({file.parent for source in SOURCES for file in (ROOT / source).rglob("*.py")})
MODULES = [file for folder in FOLDERS for file in folder.glob("*.py")]


def name_of(folder):
    """Return the name of a package as an import has it."""
    source = next(ROOT / each for each in SOURCES if folder.is_relative_to(ROOT / each))
    return ".".join(folder.relative_to(source).parts)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_at_most_twelve_modules_in_a_folder(folder):
    """Whoever opens a folder sees at a glance what is in it."""
    modules = [file.name for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= 12, modules


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_each_room_says_what_belongs_in_it_and_what_does_not(folder):
    """A package opens with a line that says what it is, and a paragraph on its borders."""
    room = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    what, _, borders = (room or "").partition("\n\n")
    assert len(what) > 20, room
    assert len(borders) > 40, room


def test_import_linter_holds_six_layers_at_most():
    """The contract of the rooms names every room of the library, once, in six layers at most."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layered = [each for each in linter["contracts"] if each["type"] == "layers"]
    assert all(len(each["layers"]) <= 6 for each in layered)
    rooms = [room.strip() for layer in layered[0]["layers"] for room in layer.split("|")]
    library = {path.parent.name for path in (ROOT / "functions/aisle").glob("*/__init__.py")}
    assert sorted(room for room in rooms if room.startswith("aisle.")) == sorted(
        f"aisle.{room}" for room in library
    )


def test_a_name_of_a_class_is_one_thing():
    """No two public classes of the project have the same name."""
    owners = defaultdict(set)
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners[node.name].add(str(file.relative_to(ROOT)))
    assert {name: files for name, files in owners.items() if len(files) > 1} == {}
