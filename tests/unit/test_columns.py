"""Other shops' column names: what the options say, what a row gives, and what is refused."""

import json
import re

import pytest

from aisle.catalogue.columns import Columns, columns_from
from aisle.errors import DataError

ROW = {"title": "Milk pan", "dept": "Kitchen", "aisle": "Pans", "path": "Kitchen > Pans"}


def test_without_options_the_schema_of_the_readme():
    """No option means the columns that the README names."""
    assert columns_from() == Columns()
    assert columns_from().select({"name": "Pan", "colour": "red"}) == {"name": "Pan"}


def test_all_columns_by_option():
    """Every field can be named in one option, with spaces around."""
    found = columns_from(
        "name=title, description=body,manufacturer=brand,price=cost,sku=id,category=dept + aisle"
    )
    assert found == Columns(
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
    """A mapping file says the same in TOML or JSON, and an option goes before it."""
    path = tmp_path / "shop.mapping"
    path.write_text(text)
    found = columns_from(mapping=path)
    assert (found.name, found.category, found.separator) == ("title", ("dept", "aisle"), "/")
    found = columns_from("name=headline", mapping=path, separator="|")
    assert (found.name, found.category, found.separator) == ("headline", ("dept", "aisle"), "|")


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
    """A path in one text and one in several columns are lists of names, root first."""
    found = columns_from(columns, separator=separator)
    assert found.select(ROW | {"shelf": None})["category"] == category


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
    """A list stays as it is, in a table's cell too; a text is split."""
    assert Columns().select({"category": value})["category"] == category


@pytest.mark.parametrize(
    "text",
    ["", "name", "name=", "colour=red", "name=a,name=b", "category=a++b", "name=a,,price=b"],
)
def test_what_is_not_understood_is_refused(text):
    """An option that cannot be understood is quoted, with an example of a good one."""
    with pytest.raises(DataError, match=r"The columns .* cannot be used.*name=title"):
        columns_from(text)


@pytest.mark.parametrize("separator", ["", "  "])
def test_blank_separator_is_refused(separator):
    """Nothing at all cannot separate names."""
    with pytest.raises(DataError, match="--separator"):
        columns_from(separator=separator)


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_mapping_that_cannot_be_used(tmp_path, text, said):
    """A mapping file with anything else in it is named, with what is wrong."""
    path = tmp_path / "shop.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"shop\.toml.*{re.escape(said)}"):
        columns_from(mapping=path)


def test_mapping_that_is_not_there(tmp_path):
    """A missing mapping file is a data error that names it."""
    with pytest.raises(DataError, match=r"absent\.toml cannot be read"):
        columns_from(mapping=tmp_path / "absent.toml")
