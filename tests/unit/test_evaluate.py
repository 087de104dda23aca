"""The figures, checked against scikit-learn and by hand."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from aisle.catalogue.products import LabelledProduct
from aisle.product import Category, Product, path_from_names
from aisle.taxonomy import Entry, Taxonomy
from aisle_training.release.evaluate import calibration_error, evaluate

FIGURES = ("accuracy", "macro_f1", "weighted_f1")


@dataclass
class TableClassifier:
    """Look up probabilities by the product's name; see `Classifier`."""

    taxonomy: Taxonomy
    table: dict[str | None, list[float]]
    model_version: str = "table-1"
    seen: list[Product] = field(default_factory=list)

    def predict_proba(self, products):
        """Look up the products, and record them."""
        self.seen += products
        rows = [self.table[product.name] for product in products]
        return np.array(rows, np.float32).reshape(len(products), len(self.taxonomy.classes))

    def choose(self, probabilities):
        """Take the most probable class."""
        return probabilities.argmax(axis=1)


def path(text):
    """Make a path from a text such as "Sport/Socks"; its ids are in lower case after a #."""
    names = text.split("/")
    return tuple(
        Category("#" + "/".join(names[: at + 1]).lower(), name) for at, name in enumerate(names)
    )


def row(text, name="sock", *, ids=True):
    """Label a product, with ids or with names only."""
    full = path(text)
    compared = full if ids else path_from_names([node.name for node in full])
    own = tuple(node.id for node in full) if ids else (None,) * len(full)
    return LabelledProduct(Product(name, "warm", "Tarn", 2.0), compared, own)


def classifier(*classes, products=(), **table):
    """Make a classifier from classes, their numbers of products, and a table."""
    paths = [path(text) for text in classes]
    counts = products or [1] * len(classes)
    entries = [Entry(node, count, None) for node, count in zip(paths, counts, strict=True)]
    return TableClassifier(Taxonomy(paths, entries), table)


def certain(count, at):
    """Return a one-hot row of probabilities."""
    return [float(at == number) for number in range(count)]


def figures(true, predicted):
    """Compute the figures independently, on texts."""
    labels = sorted(set(true))
    averages = {
        f"{average}_f1": f1_score(true, predicted, labels=labels, average=average, zero_division=0)
        for average in ("macro", "weighted")
    }
    return {
        "rows": len(true),
        "labels": len(labels),
        "accuracy": accuracy_score(true, predicted),
        **averages,
    }


# Against another computation.

CLASSES = ("A", "A/B", "A/B/C", "A/D", "E/B", "E/F/G")
LABELS = (*CLASSES, "A/B/X", "E", "E/F/G/H", "Y/Z")


def key(text, depth, *, ids):
    """Return how the node at a depth compares: "missing" beyond the end of the path."""
    nodes = (*path(text), *[Category("missing", "missing")] * 9)
    return nodes[depth].id if ids else nodes[depth].name


@pytest.mark.parametrize("ids", [True, False])
@given(
    st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(CLASSES)), min_size=1, max_size=12)
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_figures_are_scikit_learns_on_texts(ids, pairs):
    """On random paths, the figures of every level and of the leaf equal scikit-learn's."""
    table = {str(at): certain(6, CLASSES.index(chosen)) for at, (_, chosen) in enumerate(pairs)}
    rows = [row(label, str(at), ids=ids) for at, (label, _) in enumerate(pairs)]
    report = evaluate(classifier(*CLASSES, **table), rows)
    depths = range(max(label.count("/") + 1 for label, _ in pairs))
    deep = [[pair for pair in pairs if pair[0].count("/") >= depth] for depth in depths]
    expected = [
        {
            "level": depth + 1,
            **figures(
                [key(label, depth, ids=ids) for label, _ in deep[depth]],
                [key(chosen, depth, ids=ids) for _, chosen in deep[depth]],
            ),
        }
        for depth in depths
    ]
    assert report["levels"] == [pytest.approx(level) for level in expected]
    last = [
        [key(text, text.count("/"), ids=ids) for text in texts]
        for texts in zip(*pairs, strict=True)
    ]
    assert report["leaf"] == pytest.approx(figures(*last))
    assert report["rows"] == len(pairs)


# By hand.


@pytest.mark.parametrize(
    ("label", "levels", "leaf"),
    [
        ("A/B/C", [1, 1, 1], 1),
        ("A/B", [1, 1], 0),
        ("A/B/C/X", [1, 1, 1, 0], 0),
        ("A/X/C", [1, 0, 0], 0),
        ("Z", [0], 0),
    ],
)
def test_each_level_is_right_or_wrong(label, levels, leaf):
    """A prediction is judged level by level; a missing or different category is wrong."""
    report = evaluate(classifier("A/B/C", "Z/Y", sock=[1, 0]), [row(label)])
    assert [level["accuracy"] for level in report["levels"]] == levels
    assert report["leaf"]["accuracy"] == leaf


def test_level_counts_only_products_labelled_that_deep():
    """A level's figures are over the products whose label reaches it."""
    rows = [row("A"), row("A/B"), row("A/B/C"), row("A/B/C"), row("E/F")]
    report = evaluate(classifier("A/B", "E/F", sock=[1, 0]), rows)
    assert [level["rows"] for level in report["levels"]] == [5, 4, 2]
    assert [level["labels"] for level in report["levels"]] == [2, 2, 1]
    assert (report["leaf"]["rows"], report["leaf"]["labels"]) == (5, 4)


def test_missing_prediction_adds_no_label():
    """F1 is averaged over the labels of the rows, not over other or missing predictions."""
    table = {"short": certain(3, 0), "other": certain(3, 2), "right": certain(3, 1)}
    rows = [row("A/B", name) for name in ("short", "other", "right")]
    level = evaluate(classifier("A", "A/B", "Z/Y", **table), rows)["levels"][1]
    # Recall 1/3, precision 1: F1 is 1/2, averaged over the one label.
    assert (level["labels"], level["macro_f1"], level["weighted_f1"]) == (1, 0.5, 0.5)


def test_ids_compare_before_names():
    """A label with an id does not match another category of the same name."""
    known = classifier("A/Socks", "B/Socks", sock=[1, 0])
    by_id, by_name = row("B/Socks"), row("B/Socks", ids=False)
    assert evaluate(known, [by_id])["leaf"]["accuracy"] == 0
    assert evaluate(known, [by_name])["leaf"]["accuracy"] == 1


def test_renamed_category_is_the_same_by_id():
    """A label with an id matches by its id, whatever its name."""
    renamed = LabelledProduct(Product("sock"), (Category("#a", "New name"),), ("#a",))
    report = evaluate(classifier("A", "B", sock=[1, 0]), [renamed])
    assert report["levels"][0]["accuracy"] == 1


def test_rare_categories_are_folded_late():
    """Probabilities of rare categories are added up as `other` before the best is chosen."""
    known = classifier("A", "B", "C", products=[100, 99, 7], sock=[0.4, 0.35, 0.25])
    folded = evaluate(known, [row("B"), row("C"), row("Unknown")])["folded"]
    assert (folded["rows"], folded["labels"], folded["accuracy"]) == (3, 1, 1)
    assert folded["calibration_error"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("least", "labels", "accuracy"),
    [(1001, 1, 1), (1000, 2, 0.5), (101, 2, 0.5), (100, 3, 0.5), (1, 3, 0.5)],
)
def test_folded_protocol_uses_the_counts_of_the_snapshot(least, labels, accuracy):
    """The model's snapshot, not the rows, decides how common a category is."""
    known = classifier("A", "B", "C", products=[1000, 100, 1], sock=[0.7, 0.2, 0.1])
    rows = [row(text) for text in ("A", "A", "B", "C")]
    folded = evaluate(known, rows, min_count=least)["folded"]
    assert (folded["min_count"], folded["labels"], folded["accuracy"]) == (least, labels, accuracy)


@pytest.mark.parametrize("ids", [True, False])
def test_folded_protocol_compares_by_name_without_ids(ids):
    """A label without an id is folded and compared by its name."""
    known = classifier("A/B", "C/D", products=[100, 7], sock=[0.9, 0.1])
    folded = evaluate(known, [row("A/B", ids=ids), row("C/D", ids=ids)])["folded"]
    assert (folded["labels"], folded["accuracy"]) == (2, 0.5)


@pytest.mark.parametrize(
    ("confidences", "right", "error"),
    [
        ([], [], 0),
        ([0.9], [True], 0.1),
        ([0.9], [False], 0.9),
        ([0.5] * 4, [True, True, False, False], 0.5),
        # Two products in each bin: seven are off by 0.75, seven by -0.75, and one by nothing.
        ([0.25, 0.75] * 15, [True, False] * 15, 0.7),
        ([0.5] * 30, [True, False] * 15, 0),
    ],
)
def test_calibration_error_by_hand(confidences, right, error):
    """The error is the mean gap between confidence and accuracy over 15 bins of equal mass."""
    measured = calibration_error(np.array(confidences), np.array(right, bool))
    assert measured == pytest.approx(error)


@pytest.mark.parametrize(
    ("label", "error"), [("A/B", 0.2), ("A/B/C", 0.2), ("A", 0.8), ("A/X", 0.8), ("Z/Y", 0.8)]
)
def test_confidence_is_in_the_category_or_below(label, error):
    """The confidence is the predicted category's; the label may be that category or one below."""
    known = classifier("A/B", "A/B/C", "Z/Y", sock=[0.5, 0.3, 0.2])
    assert evaluate(known, [row(label)])["calibration_error"] == pytest.approx(error)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("name",), Product("sock")),
        (("name", "description"), Product("sock", "warm")),
        (("price", "name"), Product("sock", price=2.0)),
        (("name", "description", "manufacturer", "price"), Product("sock", "warm", "Tarn", 2.0)),
    ],
)
def test_fields_are_withheld(fields, expected):
    """The model sees only the requested fields, and the figures name them."""
    known = classifier("A", "B", sock=[1, 0])
    report = evaluate(known, [row("A")], fields=fields)
    assert known.seen == [expected]
    assert report["fields"] == list(fields)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_every_product_is_scored_once_and_in_order(count):
    """Every product is predicted once and compared with its own label, whatever their number."""
    table = {"a": [1, 0], "b": [0, 1]}
    rows = [row("AB"[at % 3 == 0], "ab"[at % 3 == 0]) for at in range(count)]
    known = classifier("A", "B", **table)
    report = evaluate(known, rows)
    assert [product.name for product in known.seen] == [labelled.product.name for labelled in rows]
    assert report["leaf"]["accuracy"] == min(1, count)
    assert report["model_version"] == "table-1"
