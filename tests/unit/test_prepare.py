"""Cleaning, splitting and folding: what a snapshot becomes before anything is learnt from it."""

import gzip
import hashlib
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.normalize import normalize
from aisle.product import Product, path_from_names
from aisle.store import FolderStore
from aisle_training.data.ingest import ingest, read_snapshot
from aisle_training.data.prepare import (
    SPLITS,
    canonical_paths,
    clean,
    fold_rare,
    group_of,
    prepare,
    read_prepared,
    split_of,
)
from aisle_training.parameters import PrepareParameters
from tests.made_up import category_path, products, write_catalogue

SETTINGS = PrepareParameters(test_share=0.15, validation_share=0.15)
SOCKS = category_path("Sport", "Running", "Socks", ids=True)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def prepare_rows(store, tmp_path):
    """Give the function that prepares made-up rows, perhaps with a test file."""

    def run(rows, test_rows=None, settings=SETTINGS):
        data = write_catalogue(tmp_path / "shop.jsonl", rows)
        test_data = test_rows and write_catalogue(tmp_path / "test.jsonl", test_rows)
        snapshot = ingest(store, data, test_data=test_data or None)
        return prepare(store, *read_snapshot(store, snapshot.id), settings)

    return run


def groups(prepared):
    """Return the groups of each split."""
    return {name: {one.group for one in getattr(prepared, name)} for name in SPLITS}


def split_by_group(prepared):
    """Return the split of each group."""
    return {group: name for name, found in groups(prepared).items() for group in found}


# Cleaning.


@pytest.mark.parametrize("field", ["name", "description", "manufacturer"])
@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("Tea <b>Mug</b>, 30&nbsp;cl!", "tea mug 30 cl"),
        ("CAFÉ", "café"),
        ("-- ! --", None),
        ("", None),
        (None, None),
    ],
)
def test_texts_are_cleaned_as_serving_does(field, typed, cleaned):
    """Each text field is normalised as serving normalises it; one without a word is no field."""
    assert getattr(clean(Product(**{field: typed})), field) == cleaned


def test_price_is_kept():
    """Cleaning keeps the price."""
    assert clean(Product(name="Mug", price=4.5)).price == 4.5


@given(name=st.text(), description=st.text(), manufacturer=st.text())
@settings(deadline=None)
def test_cleaning_twice_is_cleaning_once(name, description, manufacturer):
    """A cleaned product is not changed by cleaning, and its words are those of the text."""
    once = clean(Product(name, description, manufacturer))
    assert clean(once) == once
    assert (once.name or "") == normalize(name)


# Splitting.


@pytest.mark.parametrize(
    ("start", "test", "split"),
    [
        ("00000000", True, "train"),
        ("b3000000", True, "train"),
        ("b4000000", True, "validation"),
        ("d9000000", True, "validation"),
        ("da000000", True, "test"),
        ("ffffffff", True, "test"),
        ("b3000000", False, "train"),
        ("b4000000", False, "validation"),
        ("da000000", False, "train"),
        ("ffffffff", False, "train"),
    ],
)
def test_split_is_the_place_of_the_hash(start, test, split):
    """The hash alone says the split; where the test is given, its share goes to train."""
    assert split_of(start + "0" * 56, SETTINGS, test=test) == split


def test_shares_are_about_right():
    """Of many texts, each split gets its share."""
    hashes = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(20_000))
    counts = Counter(split_of(one, SETTINGS) for one in hashes)
    assert counts["test"] / 20_000 == pytest.approx(0.15, abs=0.01)
    assert counts["validation"] / 20_000 == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Product("sock red", "warm and soft"), Product("sock blue", "warm and soft"), True),
        (Product("sock red"), Product("sock red", manufacturer="tarn", price=2.0), True),
        (Product(None, "warm and soft"), Product("warm and soft", None), True),
        (Product("a long name of a red sock", "warm"), Product("a blue sock", "warm"), False),
        (Product("sock red"), Product("sock blue"), False),
    ],
)
def test_variants_share_their_group(one, other, same):
    """Products with the same longer text are one group, whatever else they differ in."""
    assert (group_of(one) == group_of(other)) is same


def test_same_text_is_on_one_side_only(prepare_rows):
    """Without a test file, no text is in two splits, and all splits have products."""
    rows = list(products(400))
    variants = [row | {"name": "Blue", "price": 1.0} for row in rows if row["description"]]
    found = groups(prepare_rows([*rows, *variants]))
    assert not found["train"] & found["validation"]
    assert not (found["train"] | found["validation"]) & found["test"]
    assert all(found.values())


def test_products_keep_their_side_as_the_catalogue_grows(prepare_rows):
    """A product of a small catalogue is in the same split of a bigger one."""
    rows = list(products(400))
    small, big = split_by_group(prepare_rows(rows[300:])), split_by_group(prepare_rows(rows))
    assert len(big) > len(small)
    assert small.items() <= big.items()


def test_given_test_is_the_test(prepare_rows):
    """With a test file, its rows are the test and all others are for training and validation."""
    rows = list(products(400))
    found = prepare_rows(rows[:300], rows[300:])
    assert len(found.test) == 100
    assert len(found.train) + len(found.validation) == 300
    assert found.validation


def test_rows_in_both_files_are_counted_and_kept(prepare_rows, capsys):
    """Test products whose text is also in the data are said, and stay on both sides."""
    rows = [
        {"name": f"{noun} socks", "category": SOCKS}
        for noun in ("Red", "Blue", "Green", "Grey", "Pink")
    ]
    found = prepare_rows(rows[:4], [*rows[3:], {"name": "PINK -- socks!", "category": SOCKS}])
    assert len(found.test) == 3
    assert len(found.train) + len(found.validation) == 4
    assert "1 of 3 test products have a text that is also in the data" in capsys.readouterr().err


def test_products_without_a_word_are_said(prepare_rows, capsys):
    """Products whose text has no letter or digit are left out, and said."""
    rows = [{"name": name, "category": SOCKS} for name in ("!!!", "Red socks", "---")]
    found = prepare_rows(rows)
    assert sum(len(getattr(found, name)) for name in SPLITS) == 1
    assert "2 products have no letter or digit" in capsys.readouterr().err


def test_identity_of_the_test_is_its_content(prepare_rows):
    """The hash of the test is that of its texts and labels, whatever their order or the data."""
    rows = list(products(400))
    one = prepare_rows(rows[:200], rows[300:])
    other = prepare_rows(rows[:300], rows[:299:-1])
    third = prepare_rows(rows[:300], [*rows[301:], rows[300] | {"category": SOCKS}])
    assert one.test_sha256 == other.test_sha256 != third.test_sha256
    assert one.id != other.id


# What is saved.


def test_what_is_saved_is_read_back(prepare_rows, store):
    """Reading gives exactly what preparing returned."""
    found = prepare_rows(products(200))
    assert read_prepared(store, found.id) == found


def test_cleaned_text_is_in_the_dataset_area(prepare_rows, store):
    """The cleaned texts lie in the store with their categories, beside the raw snapshot."""
    rows = [{"name": f"<i>RED</i> Sock No. {at}", "category": SOCKS} for at in range(30)]
    found = prepare_rows(rows)
    saved = [
        json.loads(line)
        for name in SPLITS
        for line in gzip.decompress(
            store.get(f"datasets/prepared/{found.id}/{name}.jsonl.gz").data
        ).splitlines()
    ]
    assert {row["name"] for row in saved} == {f"red sock no {at}" for at in range(30)}
    assert all(row["category"] == SOCKS for row in saved)
    assert store.exists(f"datasets/base/{found.snapshot_id}/products.jsonl.gz")


def test_other_settings_are_other_prepared_data(prepare_rows):
    """The same rows split otherwise have another id, and the raw snapshot is the same."""
    rows = list(products(100))
    one = prepare_rows(rows)
    other = prepare_rows(rows, settings=PrepareParameters(test_share=0.2, validation_share=0.15))
    assert one.id != other.id
    assert one.snapshot_id == other.snapshot_id


# Folding.


def paths(*texts):
    """Make paths of texts such as "A/B"."""
    return [path_from_names(text.split("/")) for text in texts]


@pytest.mark.parametrize(
    ("counts", "least", "expected"),
    [
        ({"A/B": 1, "A/C": 9}, 1, {"A/B": "A/B", "A/C": "A/C"}),
        ({"A/B": 2, "A/C": 9}, 3, {"A/B": "A", "A/C": "A/C"}),
        ({"A/B": 3, "A/C": 2}, 3, {"A/B": "A/B", "A/C": "A"}),
        ({"A/B/C/D": 1, "A/B/E": 1, "A/F": 9}, 2, {"A/B/C/D": "A/B", "A/B/E": "A/B", "A/F": "A/F"}),
        ({"A/B/C/D": 1, "A/F": 9}, 3, {"A/B/C/D": "A", "A/F": "A/F"}),
        ({"A/B/C/D": 1}, 3, {"A/B/C/D": "A"}),
        ({"A": 1}, 3, {"A": "A"}),
        ({"A": 1, "A/B": 9}, 3, {"A": "A", "A/B": "A/B"}),
        ({"A/B": 1, "A/B/C": 9}, 3, {"A/B": "A", "A/B/C": "A/B/C"}),
        (
            {"A/B": 1, "A/B/C": 1, "A/B/D": 9},
            3,
            {"A/B": "A/B", "A/B/C": "A/B", "A/B/D": "A/B/D"},
        ),
    ],
)
def test_rare_categories_fold(counts, least, expected):
    """A category with too few products joins its nearest ancestor with enough, else the root."""
    found = fold_rare(dict(zip(paths(*counts), counts.values(), strict=True)), least)
    assert found == dict(zip(paths(*expected), paths(*expected.values()), strict=True))


@given(
    st.dictionaries(
        st.lists(st.sampled_from("ABC"), min_size=1, max_size=4).map(path_from_names),
        st.integers(1, 6),
        min_size=1,
    ),
    st.integers(1, 6),
)
@settings(deadline=None)
def test_folding_keeps_to_the_path(counts, least):
    """Every class is on its label's path, and what has enough products is a class of its own."""
    found = fold_rare(counts, least)
    assert found.keys() == counts.keys()
    assert all(path[: len(folded)] == folded for path, folded in found.items())
    assert all(found[path] == path for path, count in counts.items() if count >= least)


@pytest.mark.parametrize(
    ("seen", "taken"),
    [
        (["A/x", "A/x", "B/x"], "A/x"),
        (["B/x", "A/x", "B/x"], "B/x"),
        (["B/x", "A/x"], "A/x"),
        (["A/x", "B/x"], "A/x"),
    ],
)
def test_one_path_for_each_category(seen, taken):
    """A category seen under several parents keeps the commonest path, the first among equals."""
    seen, (taken,) = (
        [path_from_names(text.split("/"), text.lower().split("/")) for text in texts]
        for texts in (seen, [taken])
    )
    assert canonical_paths(seen) == {"x": taken}


def test_a_category_has_one_name(store, tmp_path):
    """Where a catalogue spells one category's name in several ways, the commonest is taken."""
    rows = [
        {"name": f"speaker {at}", "category": [{"id": "a", "name": name}, {"id": "s", "name": "S"}]}
        for at, name in enumerate(["Audio", "audio", "Audio"])
    ]
    snapshot = ingest(store, write_catalogue(tmp_path / "rows.jsonl", rows))
    prepared = prepare(store, *read_snapshot(store, snapshot.id), SETTINGS)
    examples = [one for split in SPLITS for one in getattr(prepared, split)]
    assert [one.path[0].name for one in examples] == ["Audio"] * 3


def test_boilerplate_does_not_make_one_group(store, tmp_path):
    """Products that share one long description below many names are split by their names."""
    text = "Free delivery on all orders, and thirty days to send back what does not please"
    rows = [{"name": f"speaker {at}", "description": text, "category": SOCKS} for at in range(400)]
    snapshot = ingest(store, write_catalogue(tmp_path / "rows.jsonl", rows))
    prepared = prepare(store, *read_snapshot(store, snapshot.id), SETTINGS)
    sizes = [len(getattr(prepared, split)) for split in SPLITS]
    assert sum(sizes) == 400
    assert min(sizes) > 30
