"""The taxonomy: its nodes, roll-up, file and search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.errors import BundleError
from aisle.product import Category, path_from_names
from aisle.taxonomy import Entry, Taxonomy

unhurried = settings(deadline=None)


def at(*names):
    """Make a path from names."""
    return path_from_names(names)


def tree(*paths):
    """Make a taxonomy with these classes and no entries to search."""
    return Taxonomy([at(*names) for names in paths], [])


# Some ids are prefixes of others, or sort before the separator of paths.
_NAMES = st.sampled_from(["a", "b", "ab", "a b", "a!", "Z", "é"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map(tuple)
trees = st.sets(_PATHS, min_size=1, max_size=12).map(lambda paths: tree(*paths))


def some_probabilities(taxonomy, seed):
    """Return class probabilities (5, classes); each row adds up to 1."""
    random = np.random.default_rng(seed)
    return random.dirichlet(np.full(len(taxonomy.classes), 0.3), 5).astype(np.float32)


SHOP = tree(
    ("Garden",),
    ("Garden", "Lights"),
    ("Kitchen", "Pans", "Woks"),
    ("Kitchen", "Pans", "Crepe Pans"),
    ("Sport", "Lights"),
)


def test_nodes():
    """The nodes are all classes and their ancestors, each parent before its children."""
    assert SHOP.nodes == (
        at("Garden"),
        at("Garden", "Lights"),
        at("Kitchen"),
        at("Kitchen", "Pans"),
        at("Kitchen", "Pans", "Crepe Pans"),
        at("Kitchen", "Pans", "Woks"),
        at("Sport"),
        at("Sport", "Lights"),
    )


def test_ancestors():
    """A class's row has the nodes of its path, root first, padded with -1."""
    assert SHOP.ancestors.tolist() == [[0, -1, -1], [0, 1, -1], [2, 3, 4], [2, 3, 5], [6, 7, -1]]


def test_ends():
    """Every class has the node at which its path ends."""
    assert [SHOP.nodes[node] for node in SHOP.ends] == list(SHOP.classes)


def test_depth():
    """The depth is that of the deepest class."""
    assert SHOP.depth == 3


def test_classes_are_in_label_order():
    """Labels number the classes in the order of their ids."""
    classes = [(Category("2", "Alpha"),), (Category("1", "Omega"),)]
    assert [path[0].name for path in Taxonomy(classes, []).classes] == ["Omega", "Alpha"]


def test_roll_up_by_hand():
    """A node has the sum of its class and those below; equal names do not join nodes."""
    rolled = SHOP.roll_up(np.array([[0.1, 0.2, 0.34, 0.12, 0.24]], np.float32))
    assert rolled[0] == pytest.approx([0.3, 0.2, 0.46, 0.46, 0.34, 0.12, 0.24, 0.24])


@unhurried
@given(trees, st.integers(0, 1000))
def test_roll_up_is_the_sum_of_the_classes_below(taxonomy, seed):
    """In any tree, roll-up is the sum over the classes at a node and below."""
    probabilities = some_probabilities(taxonomy, seed)
    below = np.array(
        [[path[: len(node)] == node for node in taxonomy.nodes] for path in taxonomy.classes]
    )
    expected = probabilities.astype(np.float64) @ below
    assert np.allclose(taxonomy.roll_up(probabilities), expected, rtol=0, atol=1e-6)


@unhurried
@given(trees, st.integers(0, 1000))
def test_parents_are_at_least_as_sure_as_their_children(taxonomy, seed):
    """Confidence never grows on the way down, not even by a rounding error."""
    rolled = taxonomy.roll_up(some_probabilities(taxonomy, seed))
    number = {node: column for column, node in enumerate(taxonomy.nodes)}
    children = [node for node in taxonomy.nodes if len(node) > 1]
    falls = [rolled[:, number[node[:-1]]] - rolled[:, number[node]] for node in children]
    assert np.min(falls, initial=0) >= 0


@unhurried
@given(trees, st.integers(0, 1000))
def test_confidence_is_a_probability(taxonomy, seed):
    """Rolled-up values are float32 in [0, 1]."""
    rolled = taxonomy.roll_up(some_probabilities(taxonomy, seed))
    assert (rolled.dtype, rolled.min() >= 0, rolled.max() <= 1) == (np.float32, True, True)


@unhurried
@given(trees)
def test_ancestors_are_prefixes(taxonomy):
    """In any tree, a class's ancestors are the prefixes of its path, in order."""
    ancestors = [
        [taxonomy.nodes[node] for node in row[: len(path)]]
        for row, path in zip(taxonomy.ancestors, taxonomy.classes, strict=True)
    ]
    assert ancestors == [
        [path[: depth + 1] for depth in range(len(path))] for path in taxonomy.classes
    ]


# A catalogue's paths, their numbers of products, and the classes they are trained as.
ENTRIES = [
    Entry(at("Garden", "Lights"), 5, 0),
    Entry(at("Garden", "Lights", "Solar Lights"), 2, 0),
    Entry(at("Kitchen", "Café Crème"), 9, 1),
    Entry(at("Kitchen", "Pans"), 40, 2),
    Entry(at("Kitchen", "Pans", "Big Woks"), 90, 2),
    Entry(at("Kitchen", "Pans", "Crepe Pans"), 3, 2),
    Entry(at("Kitchen", "Pans", "Rare Woks"), 1, None),
    Entry(at("Sport", "Lights"), 7, 3),
]
SEARCHED = Taxonomy(
    [
        at("Garden", "Lights"),
        at("Kitchen", "Café Crème"),
        at("Kitchen", "Pans"),
        at("Sport", "Lights"),
    ],
    ENTRIES,
)


def test_round_trip():
    """A taxonomy is read from JSON as it was written."""
    data = SEARCHED.to_json()
    read = Taxonomy.from_json(data)
    assert (read.classes, read.entries, read.to_json()) == (
        SEARCHED.classes,
        SEARCHED.entries,
        data,
    )


def test_json_does_not_depend_on_the_order_given():
    """The JSON does not depend on the given order."""
    shuffled = Taxonomy(SEARCHED.classes[::-1], ENTRIES[::-1])
    assert shuffled.to_json() == SEARCHED.to_json()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"classes": []},
        {"classes": [], "categories": []},
        {"classes": None, "categories": []},
        {"classes": [[{"id": "a"}]], "categories": []},
        {"classes": [[{"id": "a", "name": None}]], "categories": [{"path": []}]},
        {"classes": [["a"]], "categories": []},
        {"classes": [5], "categories": []},
        {"classes": [[{"id": "a", "name": "A"}]], "categories": [{"path": [], "products": 1}]},
        {
            "classes": [[{"id": "a", "name": "A"}]],
            "categories": [{"path": [{"id": "a", "name": 5}], "products": 1, "label": 0}],
        },
    ],
)
def test_malformed_data(data):
    """Malformed data raises BundleError."""
    with pytest.raises(BundleError, match="categories cannot be read"):
        Taxonomy.from_json(data)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # a match in the own name first, then more products
        ("lights", ["Lights", "Lights", "Solar Lights"]),
        ("pans", ["Pans", "Crepe Pans", "Big Woks", "Rare Woks"]),
        # every word is needed, wherever in the path
        ("kitchen woks", ["Big Woks", "Rare Woks"]),
        ("garden lights", ["Lights", "Solar Lights"]),
        ("garden pans", []),
        # the last word may be a prefix, the others not
        ("garden sol", ["Solar Lights"]),
        ("gard solar", []),
        ("cre", ["Crepe Pans"]),
        ("kitchen", ["Big Woks", "Pans", "Café Crème", "Crepe Pans", "Rare Woks"]),
        # as the model reads text
        ("CAFÉ, crème!", ["Café Crème"]),
        ("cafe\u0301 cr&egrave;", ["Café Crème"]),
        ("nothing", []),
    ],
)
def test_search(query, expected):
    """Every word must match, the last one as a prefix; the best match comes first."""
    assert [entry.path[-1].name for entry in SEARCHED.search(query)] == expected


def test_search_prefers_more_products():
    """Of two categories with the same name, the one with more products comes first."""
    first, second = SEARCHED.search("lights")[:2]
    assert (first.path, second.path) == (at("Sport", "Lights"), at("Garden", "Lights"))


@pytest.mark.parametrize("query", ["", "  ", "!?", "<br>"])
def test_search_for_nothing_finds_everything(query):
    """Without a word, all categories are found, those with more products first."""
    assert [entry.products for entry in SEARCHED.search(query)] == [90, 40, 9, 7, 5, 3, 2, 1]


def test_search_ties_are_in_the_order_of_paths():
    """Ties are ordered by the path of ids."""
    entries = [Entry(at("B", "Pans"), 1, 0), Entry(at("A", "Pans"), 1, 0)]
    matches = Taxonomy([at("A")], entries).search("pans")
    assert [entry.path[0].name for entry in matches] == ["A", "B"]


def test_search_finds_categories_that_are_no_class():
    """A category that is no class is found, with the label None."""
    assert [entry.label for entry in SEARCHED.search("rare woks")] == [None]


def test_classes_above():
    """The classes above a class are itself and the classes on its path."""
    for label, path in enumerate(SHOP.classes):
        expected = [
            number for number, above in enumerate(SHOP.classes) if path[: len(above)] == above
        ]
        assert sorted(SHOP.above[label]) == expected
        assert label in SHOP.above[label]
