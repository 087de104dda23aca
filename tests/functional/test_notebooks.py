"""The notebooks: they run on any catalogue, and their committed outputs can be shown."""

import re

import nbformat
import pytest

from aisle_benchmark.notebook.tables import DATA, STORE
from notebooks.execute import FOLDER, execute
from tests.made_up import products, write_catalogue

NOTEBOOKS = ("01-explore", "02-prepare", "03-compare", "04-errors")
MOST_BYTES = 1_000_000
A_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|app|usr|opt|var|private|Users)/|[A-Z]:\\")


def outputs(notebook):
    """Yield the outputs of a notebook's cells."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield from cell.outputs


def texts(notebook):
    """Yield the texts of the outputs, without pictures."""
    for output in outputs(notebook):
        yield output.get("text", "")
        for kind, data in output.get("data", {}).items():
            if not kind.startswith("image/"):
                yield str(data)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Write the catalogue that the model of `made_up_store` was trained on."""
    return write_catalogue(tmp_path_factory.mktemp("shop") / "shop.jsonl.gz", products(400))


@pytest.fixture
def run(shop, tmp_path, monkeypatch):
    """Give the function that runs a notebook on the made-up shop in an empty folder."""

    def headless(name, store):
        monkeypatch.setenv(DATA, str(shop))
        monkeypatch.setenv(STORE, store)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        return execute(FOLDER / f"{name}.ipynb", tmp_path)

    return headless


def test_all_are_tested():
    """No notebook is left out here."""
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [("01-explore", "400"), ("02-prepare", "344 products to learn from")],
)
def test_runs_on_another_catalogue(run, name, text, tmp_path):
    """A data notebook runs headless on a catalogue of 400 products alone."""
    assert text in "".join(texts(run(name, (tmp_path / "empty").as_uri())))


@pytest.mark.slow
def test_compares_where_nothing_was_compared(run, tmp_path):
    """Without a comparison in the store, it says how to run one, and runs a quick one."""
    text = "".join(texts(run("03-compare", (tmp_path / "empty").as_uri())))
    assert "compare --data" in text
    assert "linear SVM" in text
    assert "Aisle, the exported bundle" in text


@pytest.mark.slow
def test_reads_the_errors_of_the_model_that_serves(run, made_up_store):
    """The errors are those of the store's own model, on the test that it was published with."""
    text = "".join(texts(run("04-errors", made_up_store.url)))
    assert "published with: True" in text


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_outputs(name):
    """Each committed notebook was run top to bottom, is small, and names nobody's folders."""
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < MOST_BYTES
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    assert not any(output.output_type == "error" for output in outputs(notebook))
    assert not any(output.get("name") == "stderr" for output in outputs(notebook))
    assert not [text for text in texts(notebook) if A_PATH.search(text)]
    assert not any("execution" in cell.metadata for cell in code)
