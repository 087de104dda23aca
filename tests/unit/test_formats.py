"""Rows in every format, their line numbers, and malicious files."""

import csv
import gzip
import io
import json
import re
import tracemalloc

import pytest

from aisle.catalogue import formats
from aisle.catalogue.columns import Columns, columns_from
from aisle.catalogue.labelled import Skipped, read_labelled
from aisle.catalogue.products import to_labelled, to_product
from aisle.catalogue.records import Record, read_records
from aisle.errors import DataError, InvalidProductError

ROWS = [
    {"sku": "1", "name": "Milk pan", "price": "12.50", "category": "Kitchen > Pans"},
    {"sku": "2", "name": 'Ä 24" "TV", big\nand flat', "price": "", "category": "TV"},
    {"sku": "3", "name": "Rake; sturdy", "price": "7", "category": "Garden > Tools > Rakes"},
]
NODES = [["Kitchen", "Pans"], ["TV"], ["Garden", "Tools", "Rakes"]]


def table(delimiter, rows=ROWS, end="\r\n"):
    """Write rows as a table."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(folder, data, columns=None):
    """Write a file and read its rows."""
    path = folder / "shop.data"
    path.write_bytes(data)
    return list(read_records(path, columns=columns or Columns()))


@pytest.mark.parametrize(
    "data",
    [
        table(","),
        table(";"),
        table("\t"),
        table(",", end="\n"),
        b"\xef\xbb\xbf" + table(","),
        b"\n\n" + table(","),
        gzip.compress(table(",")),
        gzip.compress(table(",")[:30]) + gzip.compress(table(",")[30:]),
    ],
    ids=["comma", "semicolon", "tab", "line feeds", "mark", "blank lines", "gzip", "two members"],
)
def test_tables(tmp_path, data):
    """A table gives the rows that were written, whatever separates its cells."""
    records = read(tmp_path, data)
    assert [record.raw for record in records] == ROWS
    assert [record.fields["category"] for record in records] == NODES
    assert [record.number for record in records] == [1, 2, 3]


def test_the_name_of_a_file_does_not_matter(tmp_path):
    """The content decides the format, not the suffix."""
    path = tmp_path / "shop.json.gz"
    path.write_bytes(table(","))
    assert [record.raw for record in read_records(str(path))] == ROWS


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (table(","), [2, 3, 5]),
        (b"\n" + table(","), [3, 4, 6]),
        (b'{"name": "a"}\n\n{"name": "b"}\n{"name": "c"}', [1, 3, 4]),
        (b'[{"name": "a"}, {"name":\n"b"},\n\n{"name": "c"}]', [1, 1, 4]),
        (b'\n[\n{"name": "a"}\n,{"name": "b"},\n{"name": "c"}\n]\n', [3, 4, 5]),
    ],
    ids=["table", "table after a blank line", "lines", "array", "tall array"],
)
def test_a_row_knows_its_line(tmp_path, data, lines):
    """In every format, the line of a row is the line on which it begins."""
    assert [record.line for record in read(tmp_path, data)] == lines


@pytest.mark.parametrize("size", range(1, 40))
def test_array_is_the_same_however_it_is_chunked(tmp_path, monkeypatch, size):
    """However an array is cut into chunks, its rows are those of the json module."""
    rows = [{"name": "Café 😀 \\u00e9"}, 1234567, -0.5e-7, "x", None, [[]], {}, True, {"a": [{}]}]
    data = json.dumps(rows, ensure_ascii=False).replace(", ", " ,\n ").encode()
    monkeypatch.setattr(formats, "CHUNK_BYTES", size)
    assert [record.raw for record in read(tmp_path, data)] == json.loads(data)


def test_mapped_columns(tmp_path):
    """Mapped columns get Aisle's names, and the raw row stays as it was."""
    rows = [{"title": "Pan", "cost": "$5.00", "dept": "Kitchen", "shelf": "Pans", "colour": "red"}]
    columns = columns_from("name=title,price=cost,category=dept+shelf")
    (record,) = read(tmp_path, table(",", rows), columns)
    assert record == Record(
        2, {"name": "Pan", "price": "$5.00", "category": ["Kitchen", "Pans"]}, 1, rows[0]
    )
    assert to_labelled(record).product.price == 5.0


def test_list_of_nodes_in_a_cell(tmp_path):
    """A cell may hold a category as JSON, as in the open data set."""
    rows = [{"name": "Pan", "category": json.dumps([{"id": "k", "name": "Kitchen"}])}]
    (record,) = read(tmp_path, table(",", rows))
    assert to_labelled(record).ids == ("k",)


def test_row_with_too_many_cells_is_no_product(tmp_path):
    """A row with more cells than the header is refused by its line; its neighbours are read."""
    long, good = read(tmp_path, b"name,category\na,b,c\nd,e\n")
    with pytest.raises(InvalidProductError, match=r"line 2.*more cells"):
        to_product(long)
    assert to_product(good).name == "d"


@pytest.mark.parametrize(
    ("data", "columns", "message"),
    [
        (
            b"title,cat\nPan,Pans\n",
            "",
            "name or description is missing. Its header has: title, cat",
        ),
        (b"title,cat\nPan,Pans\n", "name=headline", "headline is missing"),
        (b"name,cat\nPan,Pans\n", "", "the column category is missing. Its header has: name, cat"),
        (b"name,cat\nPan,Pans\n", "category=dept+cat", "the column dept is missing"),
        (b"name,name,category\na,b,c\n", "", "name appears twice"),
        (b'{"name": "Pan", "cat": "Pans"}\n', "", "The first row has the columns name, cat"),
        (b'{"name": "Pan", "category": "A"}\n', "name=name,price=cost", "no row has cost"),
    ],
)
def test_missing_columns_are_listed(tmp_path, data, columns, message):
    """Without the needed columns, the error lists the columns and says how to map them."""
    path = tmp_path / "shop.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"(?s){re.escape(message)}.*--columns"):
        list(read_labelled(path, columns=columns_from(columns or None)))


def test_table_without_categories_can_be_classified(tmp_path):
    """Products to classify need no category."""
    assert [record.fields for record in read(tmp_path, b"name\nPan\n")] == [{"name": "Pan"}]


BROKEN = {
    "a quote left open": (b'name,category\n"Pan,Pans\nPot,Pots\n', "not CSV at line 3"),
    "a table in another encoding": (b"name,category\nCaf\xe9,x\n", "not UTF-8 at line 2"),
    "an array in another encoding": (b'[{"name": "a"},\n{"name": "Caf\xe9"}]', "UTF-8 at line 2"),
    "UTF-16": ("name\nPan\n".encode("utf-16"), "UTF-16"),
    "a spreadsheet": (b"PK\x03\x04whatever", "save it as CSV"),
    "a deep array": (b"[" * 10_000 + b"]" * 10_000, "not JSON at line 1: it is nested deeper"),
    "a deep row": (b'{"a": ' * 10_000 + b"1" + b"}" * 10_000, "nested deeper than 100"),
    "a deep value": (
        b'[\n{"name": "x", "a": ' + b"[" * 500 + b"]" * 500 + b"}]",
        "line 2: it is nested deeper than 100",
    ),
    "a long line": (b'{"name": "' + b"x" * (17 << 20) + b'"}\n', "the line at line 1 is longer"),
    "a long line later": (
        b'{"name": "x"}\n{"name": "' + b"x" * (17 << 20) + b'"}',
        "the line at line 2 is longer",
    ),
    "a long line of a table": (b"name\n" + b"x" * (17 << 20), "the line at line 2 is longer"),
    "a long cell": (b'name\n"' + (b"x" * 1023 + b"\n") * (17 << 10), "not CSV at line"),
    "a long item": (b'[{"name": "' + b"x" * (18 << 20) + b'"}]', "the item at line 1 is longer"),
    "a long number": (b"[" + b"1" * 5000 + b"]", "not JSON at line 1"),
    "an array cut off": (b'[{"name": "x"},\n{"name": "y"}', "line 2: the array is cut off"),
    "an array cut off in a text": (b'[{"name": "x"},\n{"name": "y', "line 2: Unterminated"),
    "an array cut off in a word": (b'[{"name": tru', "not JSON at line 1"),
    "an array without commas": (b'[{"name": "x"} {"name": "y"}]', "where ',' was expected"),
    "an array with a comma too many": (b'[{"name": "x"},]', "not JSON at line 1"),
    "an array with a word in it": (b'[\n{"name": oops}' + b" " * 99 + b"]", "not JSON at line 2"),
    "nothing but white space, and much": (gzip.compress(b" " * (17 << 20)), "is longer than"),
    "a bomb of small rows": (gzip.compress(b"{}\n" * (80 << 20)), "of its bytes unpack to"),
    "a bomb of white space": (gzip.compress(b"[" + b" " * (210 << 20)), "of its bytes unpack to"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_file_is_refused(tmp_path, data, message):
    """A broken or malicious file ends in an error message, with little memory used."""
    path = tmp_path / "shop.data"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"shop\.data.*{re.escape(message)}"):
            list(read_records(path))
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["array", "lines", "table"])
def test_memory_stays_flat(tmp_path, kind):
    """Twenty megabytes are read in a fraction of that memory, even an array on one line."""
    rows = [
        {"name": f"Pan {number}", "description": "x" * 1000, "category": "A"}
        for number in range(20_000)
    ]
    text = {
        "array": lambda: json.dumps(rows).encode(),
        "lines": lambda: b"".join(json.dumps(row).encode() + b"\n" for row in rows),
        "table": lambda: table(",", rows),
    }[kind]()
    path = tmp_path / "shop.data"
    path.write_bytes(text)
    rows.clear()
    del text
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_records(path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def test_exact_duplicates_are_left_out_where_they_have_a_sku(tmp_path):
    """A row that repeats an earlier one is skipped, unless it has no sku or differs in a column."""
    row = {"sku": 1, "name": "Pan", "category": "A", "url": "x"}
    bare = row | {"sku": None}
    rows = [row, row, bare, bare, row | {"url": "y"}, dict(reversed(row.items()))]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(rows))
    skipped = Skipped()
    assert len(list(read_labelled(path, skipped=skipped, duplicates=False))) == 4
    assert str(skipped) == "2 identical to an earlier row"
    assert len(list(read_labelled(path))) == 6


@pytest.mark.parametrize("sku", [[1], {"a": 1}, True, ""])
def test_odd_skus_do_no_harm(tmp_path, sku):
    """Products are read whatever their sku is."""
    path = tmp_path / "shop.json"
    path.write_text(json.dumps([{"sku": sku, "name": "Pan", "category": "A"}]))
    assert len(list(read_labelled(path, duplicates=False))) == 1


@pytest.mark.parametrize(
    ("typed", "price"),
    [
        ("5.49", 5.49),
        ("$1,299.00", 1299.0),
        ("12,50 €", 12.5),
        ("EUR 12,5", 12.5),
        ("US$ 10", 10.0),
        ("1.299,00", 1299.0),
        ("1,299,000", 1299000.0),
        ("1 299,00 kr", 1299.0),
        ("1\u202f299,00\u00a0€", 1299.0),
        ("CHF 1'299.50", 1299.5),
        ("£0.99", 0.99),
        ("1,299", None),
        ("1.299 €", None),
        ("1,29,00", None),
        ("12,34.56.78", None),
        ("-5 €", None),
        ("$5 - $10", None),
        ("from $5", None),
        ("2 for 5", None),
        ("5 pieces", None),
        ("€", None),
        ("٣ €", None),
    ],
)
def test_prices_as_people_type_them(typed, price):
    """A price as text is read if it has only one meaning."""
    assert to_product(Record(1, {"name": "Pan", "price": typed})).price == price


@pytest.mark.parametrize(
    ("fields", "field"),
    [({}, "name"), ({"name": [1]}, "name"), ({"name": "x", "description": {}}, "description")],
)
def test_refusal_names_line_and_field(fields, field):
    """The error for a row names its line, and has the field as an attribute."""
    with pytest.raises(InvalidProductError, match="The row at line 7 cannot be used") as refused:
        to_product(Record(7, fields))
    assert refused.value.field == field
