"""The mapping of other shops' columns: the options, the selected values, and the errors."""

import json
import re

import pytest

from aisle.catalogue.columns import Columns, columns_from
from aisle.errors import DataError

ROW = {"title": "Milk pan", "dept": "Kitchen", "aisle": "Pans", "path": "Kitchen > Pans"}


def test_default_columns():
    """Without options, the columns are those that the README names."""
    assert columns_from() == Columns()
    assert columns_from().select({"name": "Pan", "colour": "red"}) == {"name": "Pan"}


def test_all_columns_by_option():
    """One option can map every field; spaces do not matter."""
    columns = columns_from(
        "name=title, description=body,manufacturer=brand,price=cost,sku=id,category=dept + aisle"
    )
    assert columns == Columns(
        sku="id",
        name="title",
        description="body",
        manufacturer="brand",
        price="cost",
        category=("dept", "aisle"),
        given=frozenset({"sku", "name", "description", "manufacturer", "price", "category"}),
    )


@pytest.mark.parametrize(
    "text",
    [
        'name = "title"\ncategory = ["dept", "aisle"]\nseparator = "/"\n',
        json.dumps({"name": "title", "category": ["dept", "aisle"], "separator": "/"}),
    ],
    ids=["TOML", "JSON"],
)
def test_mapping_file(tmp_path, text):
    """A mapping file is TOML or JSON, and options override it."""
    path = tmp_path / "shop.mapping"
    path.write_text(text)
    columns = columns_from(mapping=path)
    assert (columns.name, columns.category, columns.separator) == ("title", ("dept", "aisle"), "/")
    columns = columns_from("name=headline", mapping=path, separator="|")
    assert (columns.name, columns.category, columns.separator) == (
        "headline",
        ("dept", "aisle"),
        "|",
    )


@pytest.mark.parametrize(
    ("columns", "separator", "category"),
    [
        ("category=path", None, ["Kitchen", "Pans"]),
        ("category=path", "/", ["Kitchen > Pans"]),
        ("category=dept+aisle", None, ["Kitchen", "Pans"]),
        ("category=dept+shelf", None, ["Kitchen"]),
        ("category=shelf+aisle", None, [None, "Pans"]),
        ("category=dept", None, ["Kitchen"]),
    ],
)
def test_categories_of_text_and_of_columns(columns, separator, category):
    """A path in one text or in several columns becomes a list of names, root first."""
    mapped = columns_from(columns, separator=separator)
    assert mapped.select(ROW | {"shelf": None})["category"] == category


@pytest.mark.parametrize(
    ("value", "category"),
    [
        ([{"id": "k", "name": "Kitchen"}], [{"id": "k", "name": "Kitchen"}]),
        (["Kitchen", "Pans"], ["Kitchen", "Pans"]),
        ('[{"id": "k", "name": "Kitchen"}]', [{"id": "k", "name": "Kitchen"}]),
        ("[{oops", ["[{oops"]),
        ("Kitchen>Pans>", ["Kitchen", "Pans"]),
        (None, None),
        (12, 12),
    ],
)
def test_category_of_one_column(value, category):
    """A list stays as it is, even as JSON in a cell; a text is split."""
    assert Columns().select({"category": value})["category"] == category


@pytest.mark.parametrize(
    "text",
    ["", "name", "name=", "colour=red", "name=a,name=b", "category=a++b", "name=a,,price=b"],
)
def test_malformed_option_is_refused(text):
    """The error for a malformed option quotes it and gives a good example."""
    with pytest.raises(DataError, match=r"The columns .* cannot be used.*name=title"):
        columns_from(text)


@pytest.mark.parametrize("separator", ["", "  "])
def test_blank_separator_is_refused(separator):
    """A blank separator is an error."""
    with pytest.raises(DataError, match="--separator"):
        columns_from(separator=separator)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{oops", "neither TOML nor JSON"),
        ("name = title", "neither TOML nor JSON"),
        ('colour = "red"', "colour = 'red'"),
        ("name = 7", "name = 7"),
        ('name = ["a", "b"]', "name = ['a', 'b']"),
        ("category = []", "category = []"),
        ('given = "x"', "given = 'x'"),
    ],
)
def test_malformed_mapping(tmp_path, text, message):
    """The error for a malformed mapping file names the file and the cause."""
    path = tmp_path / "shop.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"shop\.toml.*{re.escape(message)}"):
        columns_from(mapping=path)


def test_missing_mapping(tmp_path):
    """A missing mapping file is a data error that names it."""
    with pytest.raises(DataError, match=r"absent\.toml cannot be read"):
        columns_from(mapping=tmp_path / "absent.toml")
