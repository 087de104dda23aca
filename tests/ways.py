"""Traces of three ways through the code, which docs/ARCHITECTURE.md lists.

`make ways` traces them again and writes the lists into that page; a test compares them.
"""

import argparse
import difflib
import inspect
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
MAX_DEPTH = 4
"""The maximum number of listed callers above a listed function."""

SOURCES = (ROOT / "functions", ROOT / "training")
# Code that every way needs and none is about: objects, requests, text, bookkeeping.
_LEFT_OUT = re.compile(  # by file, or by file and function
    r"functions/aisle/(store/|serving/http/|registry/audit|cli/context|cli/main|[a-z_]+\.py)"
    r"|training/aisle_training/(artefacts|builds|job|parameters)\.py"
    r"|training/aisle_training/pipeline\.py:Trainer\.once"
)


class Trace:
    """Functions in the order of their first calls, each once, with its depth.

    It lists public functions and methods of the rooms, except properties, those left out by name,
    and those that are too deep. Each stands below its first caller in the list. A function that is
    `known` from another way is listed again, but not the known functions below it.
    """

    def __init__(self, known: frozenset[str] = frozenset()) -> None:
        self.lines: list[tuple[int, str]] = []
        self._known = known
        self._listed: set[str] = set()
        # The last listed function, after its listed callers.
        self._branch: list[str] = []
        # The callers above each thread: its calls belong to whatever started it.
        self._starters: dict[threading.Thread, list[str]] = {}
        self._names: dict[CodeType, str | None] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Record a call; a callback for `sys.setprofile`."""
        if event != "call":
            return
        if frame.f_code is threading.Thread.start.__code__:
            self._starters[frame.f_locals["self"]] = self._parents(frame) or []
            return
        name = self._name(frame)
        if name is None or name in self._listed:
            return
        parents = self._parents(frame)
        if parents is None or (name in self._known and not self._known.isdisjoint(parents)):
            return
        depth = len(parents)
        if depth <= MAX_DEPTH and self._branch[:depth] == parents:
            self._branch = [*parents, name]
            self._listed.add(name)
            self.lines.append((depth, name))

    def _parents(self, frame: FrameType) -> list[str] | None:
        """Return the callers that may be listed; None during the import of a module.

        A process imports a module once, for whichever code happens to need it first.
        """
        parents: list[str] = []
        caller = frame.f_back
        while caller is not None:
            if caller.f_code.co_name == "<module>" and _file(caller.f_code):
                return None
            name = self._name(caller)
            if name is not None:
                parents.append(name)
            caller = caller.f_back
        return self._starters.get(threading.current_thread(), []) + parents[::-1]

    def _name(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code not in self._names:
            self._names[code] = _name(code, frame.f_globals)
        return self._names[code]

    @contextmanager
    def on(self) -> Iterator[None]:
        """Trace this thread and those that start in the block."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]  # documented to accept None

    @property
    def names(self) -> frozenset[str]:
        """The listed functions."""
        return frozenset(name for _, name in self.lines)

    def text(self) -> str:
        """Return the list, one function per line."""
        return "\n".join(f"{'  ' * depth}{name}" for depth, name in self.lines)


def _file(code: CodeType) -> str | None:
    """Return the file of the project's own code, from the repository's root; else None."""
    file = Path(code.co_filename)
    if any(file.is_relative_to(source) for source in SOURCES):
        return file.relative_to(ROOT).as_posix()
    return None


def _name(code: CodeType, names: dict[str, Any]) -> str | None:
    """Return the listed name of a function; None if it is not listed."""
    file = _file(code)
    # A class body is code, too, and runs at import.
    if file is None or not code.co_flags & inspect.CO_OPTIMIZED:
        return None
    name = f"{file}:{code.co_qualname}"
    parts = code.co_qualname.split(".")
    if _LEFT_OUT.match(name) or "<" in code.co_qualname or any(_private(part) for part in parts):
        return None
    owner = names.get(parts[0])
    if inspect.isclass(owner) and len(parts) > 1:
        member = vars(owner).get(parts[1])
        if isinstance(member, property | cached_property):
            return None
    return name


def _private(part: str) -> bool:
    return part.startswith("_") and part != "__call__"


# The ways.


def go(say: Callable[[str], object]) -> dict[str, str]:
    """Trace the three ways in a temporary folder; return the list of each."""
    from aisle_training import parameters

    with tempfile.TemporaryDirectory(prefix="aisle-ways-") as name:
        folder = Path(name)
        # Parameters for a small, fast model; a slow machine must not make the gate refuse it.
        text = parameters.DEFAULT.read_text(encoding="utf-8")
        for pattern, replacement in (
            (r"min_products = .*", "min_products = [3]"),
            (r"inverse_regularization = .*", "inverse_regularization = [0.5]"),
            (r"folds = .*", "folds = 2"),
            (r"trees = .*", "trees = 10"),
            (r"milliseconds = .*", "milliseconds = 1e6"),
        ):
            text, count = re.subn(rf"^{pattern}$", replacement, text, flags=re.MULTILINE)
            assert count == 1, pattern
        quick = folder / "parameters.toml"
        quick.write_text(text, encoding="utf-8")
        parameters.DEFAULT = quick

        say("a product through predict")
        predicted = _product(folder)
        say("a catalogue through training")
        trained = _catalogue(folder, quick, predicted.names)
        say("a correction to a new model")
        corrected = _correction(folder, predicted.names | trained.names)
    return {"predict": predicted.text(), "train": trained.text(), "correct": corrected.text()}


def _product(folder: Path) -> Trace:
    """Send a request to a service that has just started and so loads its model."""
    trace = Trace()
    client, _ = _service(folder / "empty")
    with trace.on():
        _post(client, "/v1/predict", {"name": "GoPro - Camera Mount Accessory Kit - Black"})
    return trace


def _catalogue(folder: Path, quick: Path, known: frozenset[str]) -> Trace:
    from demo.shop import products, write_catalogue

    data = write_catalogue(folder / "shop.jsonl", products(400))
    trace = Trace(known)
    with trace.on():
        _aisle(folder / "store", "train", "--data", str(data), "--parameters", str(quick))
    return trace


def _correction(folder: Path, known: frozenset[str]) -> Trace:
    """Correct a family of products at the service on the trained store."""
    from aisle.feedback.count import Counter
    from aisle.feedback.due import Policy, start_if_due
    from aisle.store import FolderStore
    from demo.shop import family

    runs: list[tuple[str, str]] = []
    client, live = _service(folder / "store")
    before = live().model_version
    feedback = [
        {
            "product": {key: row[key] for key in ("name", "description") if row[key]},
            "category": {"path": [node["name"] for node in row["category"]]},
        }
        for row in family(60)
    ]
    trace = Trace(known)
    with trace.on():
        _post(client, "/v1/feedback/batch", {"feedback": feedback})
        counter = Counter(FolderStore(folder / "store"))
        start_if_due(counter, Policy(), lambda run, why: runs.append((run, why)), holder="ways")
        ((run, why),) = runs
        _aisle(folder / "store", "retrain", "--run", run, "--why", why)
        live.look()
    assert live().model_version != before
    return trace


def _service(store: Path) -> tuple[Any, Any]:
    """Return a client of the whole API on a store, and its live model."""
    from starlette.testclient import TestClient

    from aisle.serving.predict.live import LiveModel
    from aisle.serving.whole import whole_api
    from aisle.store import FolderStore

    opened = FolderStore(store)
    live = LiveModel(lambda: opened)
    return TestClient(whole_api(live, lambda: opened)), live


def _post(client: Any, address: str, body: Any) -> None:
    response = client.post(address, json=body)
    assert response.is_success, response.text


def _aisle(store: Path, *arguments: str) -> None:
    """Run a command in this process, where its calls can be traced."""
    from typer.testing import CliRunner

    from aisle.cli.main import app

    result = CliRunner().invoke(app, ["--store", str(store), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output


# The page.


def listed(page: str) -> dict[str, str]:
    """Return the lists of a page."""
    return {name: text.strip("\n") for name, text in _lists(page)}


def _lists(page: str) -> list[tuple[str, str]]:
    return re.findall(r"<!-- way: (\w+) -->\n```text\n(.*?)```", page, flags=re.DOTALL)


def written(page: str, ways: dict[str, str]) -> str:
    """Return a page with the lists replaced."""
    for name, text in ways.items():
        opening = f"<!-- way: {name} -->\n```text\n"
        start = page.index(opening) + len(opening)
        page = f"{page[:start]}{text}\n{page[page.index('```', start) :]}"
    return page


def main() -> None:
    """Write the lists into the page; with --check, only compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    page = PAGE.read_text(encoding="utf-8")
    updated = written(page, go(lambda way: sys.stderr.write(f"ways: {way}\n")))
    if not parser.parse_args().check:
        PAGE.write_text(updated, encoding="utf-8")
    elif updated != page:
        old, new = page.splitlines(), updated.splitlines()
        sys.exit("\n".join(difflib.unified_diff(old, new, "the page", "a trace", lineterm="")))


if __name__ == "__main__":
    main()
