"""Cleaning, splitting and folding: how a snapshot is prepared for training."""

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
UNEQUAL = PrepareParameters(test_share=0.1, validation_share=0.25)
SOCKS = category_path("Sport", "Running", "Socks", ids=True)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def prepare_rows(store, tmp_path):
    """Give the function that prepares rows, with or without a test file."""

    def run(rows, test_rows=None, settings=SETTINGS):
        data = write_catalogue(tmp_path / "shop.jsonl", rows)
        test_data = test_rows and write_catalogue(tmp_path / "test.jsonl", test_rows)
        snapshot = ingest(store, data, test_data=test_data or None)
        return prepare(store, *read_snapshot(store, snapshot.id), settings)

    return run


def groups(prepared):
    """Return the groups in each split."""
    return {name: {row.group for row in getattr(prepared, name)} for name in SPLITS}


def split_by_group(prepared):
    """Return the split of each group."""
    return {group: name for name, members in groups(prepared).items() for group in members}


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
    """Training normalizes each text field as serving does; a field without a word becomes None."""
    assert getattr(clean(Product(**{field: typed})), field) == cleaned


def test_price_is_kept():
    """Cleaning keeps the price."""
    assert clean(Product(name="Mug", price=4.5)).price == 4.5


@given(name=st.text(), description=st.text(), manufacturer=st.text())
@settings(deadline=None)
def test_cleaning_twice_is_cleaning_once(name, description, manufacturer):
    """Cleaning is idempotent, and a cleaned text is the normalized one."""
    once = clean(Product(name, description, manufacturer))
    assert clean(once) == once
    assert (once.name or "") == normalize(name)


# Splitting.


@pytest.mark.parametrize(
    ("start", "test", "split"),
    [
        ("00000000", True, "train"),
        ("a6000000", True, "train"),
        ("a7000000", True, "validation"),
        ("e6000000", True, "validation"),
        ("e7000000", True, "test"),
        ("ffffffff", True, "test"),
        ("a6000000", False, "train"),
        ("a7000000", False, "validation"),
        ("e6000000", False, "validation"),
        ("e7000000", False, "train"),
        ("ffffffff", False, "train"),
    ],
)
def test_split_is_the_place_of_the_hash(start, test, split):
    """The hash alone decides the split; with a given test, its share goes to train."""
    assert split_of(start + "0" * 56, UNEQUAL, test=test) == split


def test_shares_are_about_right():
    """Each split gets its share of many texts."""
    hashes = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(20_000))
    counts = Counter(split_of(digest, UNEQUAL) for digest in hashes)
    assert counts["test"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert counts["validation"] / 20_000 == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("product", "other", "same"),
    [
        (Product("sock red", "warm and soft"), Product("sock blue", "warm and soft"), True),
        (Product("sock red"), Product("sock red", manufacturer="tarn", price=2.0), True),
        (Product(None, "warm and soft"), Product("warm and soft", None), True),
        (Product("a long name of a red sock", "warm"), Product("a blue sock", "warm"), False),
        (Product("sock red"), Product("sock blue"), False),
    ],
)
def test_variants_share_their_group(product, other, same):
    """Products with the same longer text are one group, whatever else differs."""
    assert (group_of(product) == group_of(other)) is same


def test_same_text_is_on_one_side_only(prepare_rows):
    """Without a test file, no text is in two splits, and no split is empty."""
    rows = list(products(400))
    variants = [row | {"name": "Blue", "price": 1.0} for row in rows if row["description"]]
    splits = groups(prepare_rows([*rows, *variants]))
    assert not splits["train"] & splits["validation"]
    assert not (splits["train"] | splits["validation"]) & splits["test"]
    assert all(splits.values())


def test_products_keep_their_side_as_the_catalogue_grows(prepare_rows):
    """A product keeps its split when the catalogue grows."""
    rows = list(products(400))
    small, big = split_by_group(prepare_rows(rows[300:])), split_by_group(prepare_rows(rows))
    assert len(big) > len(small)
    assert small.items() <= big.items()


def test_rows_of_a_test_file_are_the_test(prepare_rows):
    """The rows of a test file are the test; all others are for training and validation."""
    rows = list(products(400))
    prepared = prepare_rows(rows[:300], rows[300:])
    assert len(prepared.test) == 100
    assert len(prepared.train) + len(prepared.validation) == 300
    assert prepared.validation


def test_rows_in_both_files_are_reported_and_kept(prepare_rows, capsys):
    """Test products whose text is also in the data are reported, and stay in both."""
    rows = [
        {"name": f"{noun} socks", "category": SOCKS}
        for noun in ("Red", "Blue", "Green", "Grey", "Pink")
    ]
    prepared = prepare_rows(rows[:4], [*rows[3:], {"name": "PINK -- socks!", "category": SOCKS}])
    assert len(prepared.test) == 3
    assert len(prepared.train) + len(prepared.validation) == 4
    assert "1 of 3 test products have a text that is also in the data" in capsys.readouterr().err


def test_products_without_a_word_are_reported(prepare_rows, capsys):
    """Products without a letter or digit are left out and reported."""
    rows = [{"name": name, "category": SOCKS} for name in ("!!!", "Red socks", "---")]
    prepared = prepare_rows(rows)
    assert sum(len(getattr(prepared, name)) for name in SPLITS) == 1
    assert "2 products have no letter or digit" in capsys.readouterr().err


def test_identity_of_the_test_is_its_content(prepare_rows):
    """The hash of the test depends on its texts and labels only, not on their order."""
    rows = list(products(400))
    first = prepare_rows(rows[:200], rows[300:])
    reordered = prepare_rows(rows[:300], rows[:299:-1])
    relabelled = prepare_rows(rows[:300], [*rows[301:], rows[300] | {"category": SOCKS}])
    assert first.test_sha256 == reordered.test_sha256 != relabelled.test_sha256
    assert first.id != reordered.id


# Saving.


def test_round_trip(prepare_rows, store):
    """Prepared data is read exactly as it was written."""
    prepared = prepare_rows(products(200))
    assert read_prepared(store, prepared.id) == prepared


def test_cleaned_text_is_in_the_dataset_area(prepare_rows, store):
    """The store has the cleaned texts with their categories, beside the raw snapshot."""
    rows = [{"name": f"<i>RED</i> Sock No. {number}", "category": SOCKS} for number in range(30)]
    prepared = prepare_rows(rows)
    saved = [
        json.loads(line)
        for name in SPLITS
        for line in gzip.decompress(
            store.get(f"datasets/prepared/{prepared.id}/{name}.jsonl.gz").data
        ).splitlines()
    ]
    assert {row["name"] for row in saved} == {f"red sock no {number}" for number in range(30)}
    assert all(row["category"] == SOCKS for row in saved)
    assert store.exists(f"datasets/base/{prepared.snapshot_id}/products.jsonl.gz")


def test_other_settings_are_other_prepared_data(prepare_rows):
    """Other settings give another id for the same raw snapshot."""
    rows = list(products(100))
    prepared = prepare_rows(rows)
    other = prepare_rows(rows, settings=PrepareParameters(test_share=0.2, validation_share=0.15))
    assert prepared.id != other.id
    assert prepared.snapshot_id == other.snapshot_id


# Folding.


def paths(*texts):
    """Make paths from texts such as "A/B"."""
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
    """A category with too few products folds into its nearest ancestor with enough, or the root."""
    folded = fold_rare(dict(zip(paths(*counts), counts.values(), strict=True)), least)
    assert folded == dict(zip(paths(*expected), paths(*expected.values()), strict=True))


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
    """Every class is on its label's path; a category with enough products keeps its own class."""
    classes = fold_rare(counts, least)
    assert classes.keys() == counts.keys()
    assert all(path[: len(folded)] == folded for path, folded in classes.items())
    assert all(classes[path] == path for path, count in counts.items() if count >= least)


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
    """A category under several parents gets the most common path, or the first of equals."""
    seen, (taken,) = (
        [path_from_names(text.split("/"), text.lower().split("/")) for text in texts]
        for texts in (seen, [taken])
    )
    assert canonical_paths(seen) == {"x": taken}


def test_a_category_has_one_name(store, tmp_path):
    """A category spelled in several ways gets the most common spelling."""
    rows = [
        {
            "name": f"speaker {number}",
            "category": [{"id": "a", "name": name}, {"id": "s", "name": "S"}],
        }
        for number, name in enumerate(["Audio", "audio", "Audio"])
    ]
    snapshot = ingest(store, write_catalogue(tmp_path / "rows.jsonl", rows))
    prepared = prepare(store, *read_snapshot(store, snapshot.id), SETTINGS)
    examples = [example for split in SPLITS for example in getattr(prepared, split)]
    assert [example.path[0].name for example in examples] == ["Audio"] * 3


def test_boilerplate_does_not_make_one_group(store, tmp_path):
    """Products that share a long description but not a name are split by their names."""
    text = "Free delivery on all orders, and thirty days to send back what does not please"
    rows = [
        {"name": f"speaker {number}", "description": text, "category": SOCKS}
        for number in range(400)
    ]
    snapshot = ingest(store, write_catalogue(tmp_path / "rows.jsonl", rows))
    prepared = prepare(store, *read_snapshot(store, snapshot.id), SETTINGS)
    sizes = [len(getattr(prepared, split)) for split in SPLITS]
    assert sum(sizes) == 400
    assert min(sizes) > 30
