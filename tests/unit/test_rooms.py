"""The tree explains the architecture: small folders, documented rooms, unique class names."""

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
    """Return the import name of a package."""
    source = next(ROOT / root for root in SOURCES if folder.is_relative_to(ROOT / root))
    return ".".join(folder.relative_to(source).parts)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_at_most_twelve_modules_in_a_folder(folder):
    """A folder is small enough to see its content at a glance."""
    modules = [file.name for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= 12, modules


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_each_room_says_what_belongs_in_it_and_what_does_not(folder):
    """A package's docstring has a summary line and a paragraph on what belongs there."""
    room = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    what, _, borders = (room or "").partition("\n\n")
    assert len(what) > 20, room
    assert len(borders) > 40, room


def test_import_linter_holds_six_layers_at_most():
    """The layer contract names every room of the library once, in at most six layers."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layered = [contract for contract in linter["contracts"] if contract["type"] == "layers"]
    assert all(len(contract["layers"]) <= 6 for contract in layered)
    rooms = [room.strip() for layer in layered[0]["layers"] for room in layer.split("|")]
    library = {path.parent.name for path in (ROOT / "functions/aisle").glob("*/__init__.py")}
    assert sorted(room for room in rooms if room.startswith("aisle.")) == sorted(
        f"aisle.{room}" for room in library
    )


def test_class_names_are_unique():
    """No two public classes of the project have the same name."""
    owners = defaultdict(set)
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners[node.name].add(str(file.relative_to(ROOT)))
    assert {name: files for name, files in owners.items() if len(files) > 1} == {}
