"""The catalogue reader: every format that a shop's file may have, and the errors for others."""

import codecs
import gzip
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalogue.labelled import Skipped, read_labelled
from aisle.errors import DataError
from aisle.product import PATH_SEPARATOR, Product

ROW = {
    "sku": 7,
    "name": "Copper kettle",
    "description": "Sings when the water boils",
    "manufacturer": "Tarn",
    "price": 30,
    "category": [{"id": "k", "name": "Kitchen"}, {"id": "k1", "name": "Kettles"}],
}
NAMES = ["Copper kettle", "Café kettle", "Blue kettle"]
ROWS = [ROW | {"name": name} for name in NAMES]
LINES = [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in ROWS]
WHOLE = b"".join(LINES)
ARRAY = json.dumps(ROWS, ensure_ascii=False).encode()
TALL_ARRAY = json.dumps(ROWS, ensure_ascii=False, indent=2).encode()

FORMATS = {
    "array": ARRAY,
    "array over many lines": TALL_ARRAY,
    "array after a space": b" " + ARRAY,
    "array after an empty line": b"\n" + TALL_ARRAY,
    "array with a byte order mark": codecs.BOM_UTF8 + TALL_ARRAY,
    "array gzipped": gzip.compress(ARRAY),
    "lines": WHOLE,
    "lines without the last end": WHOLE.rstrip(),
    "lines with blank ones": b"\n" + b"\n  \n".join(LINES) + b"\n",
    "lines ended as on Windows": WHOLE.replace(b"\n", b"\r\n"),
    "lines with a byte order mark": codecs.BOM_UTF8 + WHOLE,
    "lines gzipped": gzip.compress(WHOLE),
    "lines in several gzip members": b"".join(map(gzip.compress, LINES)),
    "a line across gzip members": gzip.compress(WHOLE[:50]) + gzip.compress(WHOLE[50:]),
}
BROKEN = {
    "empty": (b"", "it is empty"),
    "blank lines only": (b"\n\n", "it is empty"),
    "empty array": (b"[]", "it is empty"),
    "a header only": (b"sku,name,category\n", "it is empty"),
    "neither JSON nor a table": (b"Dear Sir,\n", "the column name or description is missing"),
    "not JSON on its third line": (LINES[0] + b"\n{oops\n", "not JSON at line 3"),
    "an array cut off": (TALL_ARRAY[:-4], "not JSON"),
    "two arrays": (ARRAY + b"\n" + ARRAY, "not JSON"),
    "not UTF-8": (b'{"name": "Caf\xe9"}\n', "not UTF-8 at line 1: the byte 0xe9"),
    "a gzip cut off": (gzip.compress(WHOLE)[:-20], "cannot be read"),
    "a gzip with a wrong checksum": (gzip.compress(WHOLE)[:-8] + bytes(8), "cannot be read"),
    "a gzip with rubbish inside": (gzip.compress(WHOLE)[:10] + b"\xff" * 40, "cannot be read"),
    "a gzip with rubbish after": (gzip.compress(WHOLE) + b"rubbish", "cannot be read"),
    "nested without end": (b"[" * 100_000, "not JSON"),
    "unusable rows only": (b'{"name": "x"}\n{}\n', "1 without a category, 1 without a name"),
}


def read(folder, data, skipped=None):
    """Write a file and read it as a catalogue."""
    path = folder / "shop.data"
    path.write_bytes(data)
    return list(read_labelled(path, skipped=skipped))


def read_row(folder, **changes):
    """Read a catalogue of one row."""
    (labelled,) = read(folder, json.dumps([ROW | changes]).encode())
    return labelled


@pytest.mark.parametrize("data", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_products(tmp_path, data):
    """An array and lines, gzipped or not, give the same products in the same order."""
    labelled = read(tmp_path, data)
    assert [row.product.name for row in labelled] == NAMES
    assert {row.path[-1].id for row in labelled} == {"k1"}


def test_all_fields_are_read(tmp_path):
    """A row's fields become the product's, unchanged."""
    assert read_row(tmp_path).product == Product(
        "Copper kettle", "Sings when the water boils", "Tarn", 30.0
    )


@pytest.mark.parametrize(
    ("nodes", "ids", "path_ids", "names"),
    [
        ([{"id": "k", "name": "Kitchen"}], ("k",), ("k",), ("Kitchen",)),
        ([{"id": 12, "name": "Kitchen"}], ("12",), ("12",), ("Kitchen",)),
        ([{"id": 0, "name": "Kitchen"}], ("0",), ("0",), ("Kitchen",)),
        ([{"id": "k"}], ("k",), ("k",), ("k",)),
        (
            [{"id": None, "name": "Kitchen"}, {"id": "", "name": "Kettles"}],
            (None, None),
            ("Kitchen", "Kitchen > Kettles"),
            ("Kitchen", "Kettles"),
        ),
        (
            [{"name": "Kitchen"}, {"id": "k1", "name": "Kettles"}],
            (None, "k1"),
            ("Kitchen", "k1"),
            ("Kitchen", "Kettles"),
        ),
    ],
)
def test_categories_with_and_without_ids(tmp_path, nodes, ids, path_ids, names):
    """A category keeps the shop's id as text; without one, its path of names is the id."""
    labelled = read_row(tmp_path, category=nodes)
    assert labelled.ids == ids
    assert tuple(node.id for node in labelled.path) == path_ids
    assert tuple(node.name for node in labelled.path) == names


@pytest.mark.parametrize(
    ("typed", "price"),
    [
        (19.99, 19.99),
        (0, 0.0),
        ("12.50", 12.5),
        ("free", None),
        ("nan", None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        pytest.param(10**400, None, id="beyond every float"),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_prices(tmp_path, typed, price):
    """A price is a finite number of at least 0, perhaps in quotes; anything else is no price."""
    assert read_row(tmp_path, price=typed).product.price == price


@pytest.mark.parametrize(
    ("typed", "name"),
    [(501, "501"), (3.5, "3.5"), ("  ", None), (None, None)],
)
def test_names_that_are_not_text(tmp_path, typed, name):
    """A number is a valid name; white space is none."""
    assert read_row(tmp_path, name=typed).product.name == name


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("kettle", "not an object"),
        (["kettle"], "not an object"),
        (ROW | {"name": None, "description": " "}, "without a name or a description"),
        ({"category": ROW["category"]}, "without a name or a description"),
        (ROW | {"category": None}, "without a category"),
        (ROW | {"category": []}, "without a category"),
        (ROW | {"category": ""}, "without a category"),
        (ROW | {"category": " > "}, "without a category"),
        (ROW | {"category": {"name": "Kettles"}}, "without a category"),
        (ROW | {"category": True}, "without a category"),
        (
            ROW | {"category": "Kitchen > > Kettles"},
            "with a category that has neither a name nor an id",
        ),
        (ROW | {"category": [["Kettles"]]}, "with a category that has neither a name nor an id"),
        (ROW | {"name": ["Copper kettle"]}, "with a name that is not text"),
        (ROW | {"name": True}, "with a name that is not text"),
        (ROW | {"description": {"en": "Sings"}}, "with a description that is not text"),
        (ROW | {"manufacturer": []}, "with a manufacturer that is not text"),
        (ROW | {"category": [{}]}, "with a category that has neither a name nor an id"),
        (ROW | {"category": [None]}, "with a category that has neither a name nor an id"),
        (ROW | {"category": [{"name": " "}]}, "with a category that has neither a name nor an id"),
    ],
)
def test_unusable_rows_are_counted_by_reason(tmp_path, row, reason):
    """An unusable row is skipped and counted; the rows around it are read."""
    skipped = Skipped()
    lines = [json.dumps(value).encode() for value in (ROW, row, row, ROW, ROW)]
    labelled = read(tmp_path, b"\n".join(lines), skipped)
    assert len(labelled) == 3
    assert dict(skipped.reasons) == {reason: 2}
    assert str(skipped) == f"2 {reason}"


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_unusable_file_is_a_data_error(tmp_path, data, message):
    """An unusable file raises DataError, which names the file and the cause."""
    with pytest.raises(DataError, match=rf"shop\.data.*{re.escape(message)}"):
        read(tmp_path, data)


@pytest.mark.parametrize("name", ["absent.json", "folder", "folder/absent.json.gz"])
def test_no_file_is_a_data_error(tmp_path, name):
    """A missing file or a folder raises DataError, which names it."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=re.escape(name)):
        list(read_labelled(tmp_path / name))


@given(
    name=st.text(min_size=1).filter(str.strip),
    names=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4),
    escaped=st.booleans(),
)
@settings(deadline=None)
def test_any_text_survives(tmp_path_factory, name, names, escaped):
    """Any text in the names is read unchanged."""
    row = ROW | {"name": name, "category": [{"name": text} for text in names]}
    data = json.dumps(row, ensure_ascii=escaped).encode("utf-8")
    (labelled,) = read(tmp_path_factory.getbasetemp(), data)
    assert labelled.product.name == name
    assert [node.name for node in labelled.path] == names
    assert labelled.path[-1].id == PATH_SEPARATOR.join(names)
