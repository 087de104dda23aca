"""Category paths, and the ids of nodes that have none."""

import pytest

from aisle.product import Category, Scored, path_from_names


@pytest.mark.parametrize(
    ("names", "ids", "expected"),
    [
        (["Kitchen"], None, ["Kitchen"]),
        (["Kitchen", "Pans"], None, ["Kitchen", "Kitchen > Pans"]),
        (["Kitchen", "Pans", "Woks"], ["k", "p", "w"], ["k", "p", "w"]),
        (["Kitchen", "Pans", "Woks"], ["k", None, "w"], ["k", "Kitchen > Pans", "w"]),
        (["Kitchen", "Pans"], ["", None], ["", "Kitchen > Pans"]),
        ([], None, []),
    ],
)
def test_ids_of_a_path(names, ids, expected):
    """A node keeps the shop's id; without one, its id is its path of names."""
    assert [node.id for node in path_from_names(names, ids)] == expected


def test_names_of_a_path():
    """The nodes have the given names, root first."""
    names = ["Garden", "Watering", "Hoses"]
    assert [node.name for node in path_from_names(names, ["g", "w", "h"])] == names


def test_same_name_in_two_places():
    """A name under two parents gives two categories."""
    desk, bike = path_from_names(["Desk", "Lamps"]), path_from_names(["Bike", "Lamps"])
    assert desk[-1] != bike[-1]


def test_ids_have_to_match_the_names():
    """A path needs as many ids as names."""
    with pytest.raises(ValueError, match="shorter"):
        path_from_names(["Kitchen", "Pans"], ["k"])


def test_category_of_a_score():
    """A score belongs to the last node of its path."""
    path = (Category("k", "Kitchen"), Category("p", "Pans"))
    assert Scored(path, 0.5).category == Category("p", "Pans")
