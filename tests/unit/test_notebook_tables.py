"""What the notebooks share: tables, and the comparison that they read."""

import json
from pathlib import Path

import pytest

from aisle.errors import DataError
from aisle.store import open_store
from aisle_benchmark.notebook.tables import (
    DATA,
    STORE,
    ShownTable,
    data_file,
    last_comparison,
    notebook_store,
)


def test_table_is_shown_as_text_and_html():
    """Numbers are formatted, and a product's text is escaped."""
    table = ShownTable.of(("what", "n", "x"), [("<b>", 1234, 0.5), ("none", None, 2.0)])
    assert repr(table).splitlines() == [
        "what  n      x",
        "<b>   1,234  0.5000",
        "none         2.0000",
    ]
    shown = table._repr_html_()
    assert '<td style="text-align: left">&lt;b&gt;</td>' in shown
    assert '<td style="text-align: right">1,234</td>' in shown


def test_places_come_from_the_environment(monkeypatch, tmp_path):
    """The notebooks' own variables come first, then those of the command line."""
    for name in (DATA, STORE, "AISLE_STORE"):
        monkeypatch.delenv(name, raising=False)
    assert notebook_store().url.endswith("/.aisle")
    monkeypatch.setenv("AISLE_STORE", str(tmp_path / "one"))
    assert notebook_store().url.endswith("/one")
    monkeypatch.setenv(STORE, str(tmp_path / "two"))
    assert notebook_store().url.endswith("/two")
    monkeypatch.setenv(DATA, "shop.csv")
    assert data_file() == "shop.csv"


def test_data_beside_the_project(monkeypatch, tmp_path):
    """Without the variable the shared data is used; without both, the error says what to set."""
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"{DATA} is not set"):
        data_file()
    beside = tmp_path / "shared" / "data" / "bestbuy" / "products.jsonl.gz"
    notebooks = tmp_path / "project" / "notebooks"
    for folder in (beside.parent, notebooks):
        folder.mkdir(parents=True)
    beside.write_bytes(b"")
    monkeypatch.chdir(notebooks)
    assert Path(data_file()).samefile(beside)


@pytest.mark.parametrize("order", [("small", "large"), ("large", "small")])
def test_largest_comparison_is_read(tmp_path, order):
    """The comparison with the most scored products is read; without any, None."""
    store = open_store((tmp_path / "store").as_uri())
    assert last_comparison(store) is None
    scored = {"small": 80, "large": 9000}
    for number, name in enumerate(order):
        figures = {"data": {"scored": scored[name]}, "tables": [], "about": {"date": "2026-01-01"}}
        key = f"comparisons/{number:012}/report/compare.json"
        store.put(key, json.dumps(figures).encode())
    comparison = last_comparison(store)
    assert comparison is not None
    assert comparison["data"]["scored"] == 9000
