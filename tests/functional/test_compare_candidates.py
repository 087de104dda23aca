"""`aisle compare --candidate`: the user's own class, run as docs/CANDIDATES.md says."""

import itertools
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from aisle.catalogue.labelled import read_labelled
from aisle.errors import ConfigurationError
from aisle.product import Product
from aisle.store import open_store
from aisle_benchmark import protocol, results
from aisle_benchmark.candidates import named, plugged
from aisle_benchmark.candidates.plugged import Plugged, load
from aisle_benchmark.plan import make_plan
from aisle_benchmark.running.run import run
from aisle_training.release.measure import OTHER
from tests.commands import AISLE, environment
from tests.made_up import products, write_catalogue

DOCS = Path(__file__).parents[2] / "docs" / "CANDIDATES.md"
NAMES = ("a", "c", "other", "b")
"""A table's order: `other` need not be where it is when sorted."""
EXAMPLES = {
    code.split("\n", 1)[0].removeprefix("# "): code
    for code in re.findall(r"```python\n(# \w+\.py\n.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
}
BROKEN = """
import os


class Fails:
    def fit(self, products, labels):
        raise ValueError("no\\nidea")

    def predict_proba(self, products):
        return []


class Exits(Fails):
    def fit(self, products, labels):
        raise SystemExit(0)


class Vanishes(Fails):
    def fit(self, products, labels):
        os._exit(0)


class Shapeless(Fails):
    def fit(self, products, labels):
        pass
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Write a shop's catalogue."""
    return write_catalogue(tmp_path_factory.mktemp("shop") / "shop.jsonl.gz", list(products(330)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder, and unload afterwards the modules imported from it."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    plugged.source_digest.cache_clear()


@pytest.fixture
def compare(here, shop):
    """Give the function that compares in that folder, on one fold and two tables."""

    def type_in(*arguments, **variables):
        options = ("--folds", "0", "--min-count", "4", "--no-research", "--report", "report")
        return subprocess.run(
            [*AISLE, "--store", "store", "compare", "--data", str(shop), *options, *arguments],
            capture_output=True,
            check=False,
            cwd=here,
            env=environment() | variables,
            text=True,
        )

    return type_in


@pytest.fixture
def endpoint():
    """Give the address of an API that embeds texts, and the list of its requests."""
    asked = []

    class Embeddings(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.headers["authorization"], body["model"], len(body["input"])))
            data = [{"embedding": _letters(text)} for text in body["input"]]
            answer = json.dumps({"data": data}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Embeddings)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/embeddings", asked
    server.shutdown()
    server.server_close()


def _letters(text):
    """Count pairs of letters in 64 bins: a simple embedding."""
    counts = np.zeros(64)
    for letter, following in itertools.pairwise(text):
        counts[(ord(letter) * 31 + ord(following)) % 64] += 1
    return (counts / max(1.0, float(np.linalg.norm(counts)))).tolist()


# The documented examples.


def test_scikit_learn_example(compare, here):
    """The documented pipeline is in tables, pictures and figures, and better than guessing."""
    (here / "shop_models.py").write_text(EXAMPLES["shop_models.py"], encoding="utf-8")
    spec = "shop_models:WordsAndLetters"
    done = compare("--only", "naive-bayes", "--candidate", spec)
    assert done.returncode == 0, done.stderr
    assert spec in done.stdout
    report = (here / "report" / "RESULTS.md").read_text(encoding="utf-8")
    assert report.count(f"| `{spec}` |") == 4
    assert f"From outside this project: `{spec}`" in report
    brief = json.loads((here / "report" / "results" / "comparison.json").read_bytes())
    for table in brief["tables"]:
        by_name = {candidate["name"]: candidate for candidate in table["candidates"]}
        assert by_name[spec]["accuracy"] > 0.3
        assert by_name[spec]["title"] == spec
        assert by_name[spec]["costs"]["size_bytes"] > 1000
    kept = next((here / "store" / "comparisons").glob("*/report/compare.json"))
    tables = json.loads(kept.read_bytes())["tables"]
    assert all(spec in table["curves"] for table in tables)
    assert "Traceback" not in done.stderr
    again = compare("--only", "naive-bayes", "--candidate", spec)
    assert "to run" not in again.stderr


def test_api_example(compare, here, endpoint):
    """The documented client sends batches with the key from the environment, and gets scores."""
    url, asked = endpoint
    (here / "api_models.py").write_text(EXAMPLES["api_models.py"], encoding="utf-8")
    done = compare(
        *("--only", "naive-bayes", "--candidate", "api_models:Embedded"),
        EMBEDDINGS_URL=url,
        EMBEDDINGS_API_KEY="secret-key",
    )
    assert done.returncode == 0, done.stderr
    assert "api_models:Embedded" in done.stdout
    assert {key for key, _, _ in asked} == {"Bearer secret-key"}
    assert max(size for *_, size in asked) == 100
    assert "secret-key" not in (here / "report" / "RESULTS.md").read_text(encoding="utf-8")


# What goes wrong.


def test_failing_classes_are_named(compare, here):
    """Whatever a class raises, even an exit, is reported with its place and no stack trace."""
    (here / "broken_models.py").write_text(BROKEN, encoding="utf-8")
    (here / "api_models.py").write_text(EXAMPLES["api_models.py"], encoding="utf-8")
    specs = [f"broken_models:{name}" for name in ("Fails", "Exits", "Vanishes", "Shapeless")]
    specs.append("api_models:Embedded")  # without the key that it needs
    options = [option for spec in specs for option in ("--candidate", spec)]
    done = compare("--only", "naive-bayes", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert (
        "broken_models:Fails failed: fit raised ValueError: no idea (broken_models.py, line 7)"
        in last
    )
    assert (
        "broken_models:Exits failed: fit raised SystemExit: 0 (broken_models.py, line 15)" in last
    )
    assert re.search(r"broken_models:Vanishes, [^:]*: it ended without a result", last)
    assert "making it raised KeyError: 'EMBEDDINGS_API_KEY' (api_models.py, line 1" in last
    assert "broken_models:Shapeless cannot be scored" in last
    assert "an array of shape (0,)" in last
    assert "naive-bayes" in done.stdout
    assert last.count("broken_models:Fails failed") == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("models.py", "not of the form package.module:Class"),
        ("models:", "not of the form"),
        (":Class", "not of the form"),
        ("../models:Class", "not of the form"),
        ("no_such_module:Class", "there is no module no_such_module"),
        ("odd.no_such_module:Class", "there is no module odd.no_such_module"),
        ("odd.needs:Class", "No module named 'no_such_library' (needs.py, line 1)"),
        ("odd.crashes:Class", "ZeroDivisionError: division by zero (crashes.py, line 1)"),
        ("odd.exits:Class", "raised SystemExit: 3 (exits.py, line 1)"),
        ("odd.syntax:Class", "raised SyntaxError"),
        ("odd.classes:Absent", "has no class Absent, only Half, Picky, Whole"),
        ("odd.classes:function", "has no class function"),
        ("odd.classes:Half", "the class has no method predict_proba"),
        ("odd.classes:Picky", "without arguments (missing a required argument: 'size')"),
    ],
)
def test_what_cannot_be_loaded_is_refused(here, spec, message):
    """Each refusal names the candidate, what is wrong with it, and what was expected."""
    _write_package(here / "odd")
    with pytest.raises(ConfigurationError) as refused:
        load(spec)
    assert repr(spec) in str(refused.value)
    assert message in str(refused.value)
    assert "Expected a class that is made without arguments" in str(refused.value)


def test_a_refusal_comes_before_the_data(compare):
    """A class that cannot be loaded ends the command with exit 2 before any data is read."""
    done = compare("--candidate", "no_such_module:Class", "--data", "no-such-file.csv")
    assert done.returncode == 2
    assert "there is no module no_such_module" in done.stderr
    assert "no-such-file" not in done.stderr
    assert "Traceback" not in done.stderr


class Says:
    """A model that returns the answer given to it."""

    def __init__(self, answer):
        self.answer = answer

    def predict_proba(self, products):
        """Answer."""
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.5, 0.5]], "an array of shape (1, 2)"),
        ([0.25, 0.25, 0.25, 0.25], "an array of shape (4,)"),
        ([[0.25, 0.25, 0.25, 0.25]] * 2, "an array of shape (2, 4)"),
        ([[np.nan, 0.5, 0.25, 0.25]], "not finite"),
        ([[np.inf, 0.5, 0.25, 0.25]], "not finite"),
        ([[-0.5, 1, 0.25, 0.25]], "-0.5 for a class"),
        ([[0.5, 0.5, 0.5, 0.25]], "a row that sums to 1.75"),
        ([[0, 0, 0, 0]], "a row that sums to 0"),
        (None, "returned None"),
        ([["a", "b", "c", "d"]], "list, which is no array of numbers"),
    ],
)
def test_what_is_no_probability_is_refused(answer, message):
    """An answer that is not a probability for each class is an error that names the candidate."""
    with pytest.raises(ConfigurationError) as refused:
        Plugged("shop:Model", Says(answer), NAMES).predict_proba([Product("pan")])
    assert message in str(refused.value)
    assert "shop:Model" in str(refused.value)
    assert "(1, 4) probabilities" in str(refused.value)


# What the class receives, and what its results depend on.


def test_columns_are_in_the_order_of_sorted_labels():
    """A class returns columns in sorted order; they are put in the table's order."""
    model = Plugged("shop:Model", Says([[0.1, 0.2, 0.3, 0.4]]), NAMES)
    # Sorted, the labels are a, b, c, other.
    assert model.predict_proba([Product("pan")]).tolist() == [[0.1, 0.3, 0.4, 0.2]]


def test_what_cannot_be_pickled_has_no_size():
    """A fitted object that cannot be pickled has size 0, and is no error."""
    model = Says(None)
    model.connection = threading.Lock()
    assert Plugged("shop:Model", model, NAMES).size_bytes() == 0


def test_what_a_class_is_given(here, shop):
    """`fit` gets products with the fields of the table, and the ids of their classes."""
    (here / "spies.py").write_text(
        "import json\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "class Spy:\n"
        "    def fit(self, products, labels):\n"
        "        self.classes = sorted(set(labels))\n"
        "        makers = sorted({str(product.manufacturer) for product in products})\n"
        "        line = json.dumps([len(products), labels, makers])\n"
        "        Path('seen.jsonl').open('a').write(line + '\\n')\n"
        "    def predict_proba(self, products):\n"
        "        return np.full((len(products), len(self.classes)), 1 / len(self.classes))\n",
        encoding="utf-8",
    )
    catalogue = protocol.make_catalogue(list(read_labelled(shop)))
    plan = make_plan(catalogue, candidates=["spies:Spy"], folds=(0,), minima=(9,))
    outcome = run(plan, open_store((here / "store").as_uri()), workers=1)
    assert outcome.failed == {}
    text, full = map(json.loads, (here / "seen.jsonl").read_text().splitlines())
    train, _ = catalogue.split(0)
    table = plan.tables[0]
    assert text[0] == len(train)
    assert text[1] == [table.classes[at] for at in table.targets(catalogue.labels)[train]]
    assert OTHER in text[1]
    assert text[2] == ["None"]
    assert len(full[2]) > 1


def test_results_belong_to_the_source(here):
    """A change to the class's module, or to another module of its package, needs new results."""
    _write_package(here / "odd")
    before = named("odd.classes:Whole").identity()
    assert named("odd.classes:Whole").identity() == before
    assert named("odd.other:Whole").identity() != before
    (here / "odd" / "helpers.py").write_text("FACTOR = 2\n", encoding="utf-8")
    plugged.source_digest.cache_clear()
    assert named("odd.classes:Whole").identity()["code"] != before["code"]


@pytest.mark.parametrize("module", ["shop_models", "модели", "_private", "m" * 90])
def test_any_name_has_a_key(here, module):
    """Results of a class with any valid Python name have a key in the store."""
    (here / f"{module}.py").write_text(BROKEN, encoding="utf-8")
    table = protocol.Table(20, "text", ("a", OTHER))
    keys = {
        results.result_key("3f9c", named(f"{module}:{name}"), table, 0)
        for name in ("Fails", "Exits")
    }
    assert len(keys) == 2


def test_a_single_module_belongs_to_itself(here):
    """A module outside any package does not depend on the files beside it."""
    (here / "alone.py").write_text(BROKEN, encoding="utf-8")
    before = named("alone:Fails").identity()["code"]
    (here / "beside.py").write_text("FACTOR = 2\n", encoding="utf-8")
    plugged.source_digest.cache_clear()
    assert named("alone:Fails").identity()["code"] == before
    (here / "alone.py").write_text(BROKEN + "\nFACTOR = 2\n", encoding="utf-8")
    plugged.source_digest.cache_clear()
    assert named("alone:Fails").identity()["code"] != before


def _write_package(folder):
    folder.mkdir()
    whole = (
        "class Whole:\n"
        "    def fit(self, products, labels): ...\n"
        "    def predict_proba(self, products): ...\n"
    )
    files = {
        "__init__.py": "",
        "helpers.py": "FACTOR = 1\n",
        "needs.py": "import no_such_library\n",
        "crashes.py": "1 / 0\n",
        "exits.py": "raise SystemExit(3)\n",
        "syntax.py": "def broken(:\n",
        "other.py": whole,
        "classes.py": whole
        + "class Half:\n    def fit(self, products, labels): ...\n"
        + "class Picky(Whole):\n    def __init__(self, size): ...\n"
        + "def function(): ...\n",
    }
    for name, code in files.items():
        (folder / name).write_text(code, encoding="utf-8")
