"""The inverted index of training products: similarities and votes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from aisle.errors import BundleError
from aisle.model.rerank.knn import Neighbours
from aisle.model.tfidf import Features
from aisle_training import parameters
from aisle_training.fit.rerank import index_neighbours

TERMS = ["c:pan", "m:mott", "n:pan", "w:pan", "w:red"]
# Class 0: a red pan of Mott's, a pan; class 1: something red.
TABLE = csr_matrix(
    np.array([[0.9, 0, 0, 0, 1.0], [0.9, 1, 0, 3, 4], [0.9, 0, 0, 2, 0]], np.float64)
)
LABELS = np.array([1, 0, 0])
SETTINGS = parameters.load().rerank


def index(table=TABLE, labels=LABELS, **changes):
    """Index a few products."""
    settings = replace(SETTINGS, **{"most_frequent": 1.0, **changes})
    return index_neighbours(table, labels, TERMS, int(labels.max()) + 1, settings)


def features(*rows):
    """Return features of products, each a dict of term number and value."""
    return Features(
        np.cumsum([0, *map(len, rows)]),
        np.array([term for row in rows for term in sorted(row)], np.int64),
        np.array([row[term] for row in rows for term in sorted(row)], np.float32),
        np.zeros((len(rows), 0), np.float32),
    )


def test_similarity_is_the_cosine():
    """Products are as alike as the angle between their words, names and manufacturers says."""
    found = index().similarities(features({0: 9.0, 3: 1.0, 4: 1.0}, {3: 0.1}, {0: 1.0}))
    cosine = 7 / np.sqrt(26 * 2)
    expected = [[cosine, np.sqrt(0.5), np.sqrt(0.5)], [3 / np.sqrt(26), 1, 0], [0, 0, 0]]
    assert found == pytest.approx(np.array(expected), abs=5e-3)


def test_nearest_and_votes():
    """A class is as near as its nearest product; nearer products weigh far more in the vote.

    Asked of class 1, class 0, and both together: the runs may come in any order, and overlap.
    """
    first, last = np.array([[1, 0, 0]] * 3), np.array([[2, 1, 2]] * 3)
    asked = features({3: 1.0}, {0: 1.0}, {4: 1.0})
    nearest, votes, nearest_of_all = index().nearest_and_votes(asked, first, last)
    similar = 4 / np.sqrt(26)  # to the red pan; to something red it is 1
    vote = 1 / (1 + similar**8)
    assert nearest == pytest.approx(np.array([[0, 1, 1], [0, 0, 0], [1, similar, 1]]), abs=5e-3)
    expected = np.array([[0, 1, 1], [0, 0, 0], [vote, 1 - vote, 1]])
    assert votes == pytest.approx(expected, abs=5e-3)
    assert nearest_of_all == pytest.approx(np.array([1, 0, 1]), abs=5e-3)


def test_alone_or_together():
    """A product's neighbours do not depend on the products beside it."""
    rows = [{3: 1.0, 4: 2.0}, {}, {1: 1.0}]
    first, last = np.tile([0, 1, 0], (3, 1)), np.tile([1, 2, 2], (3, 1))
    together = index().nearest_and_votes(features(*rows), first, last)
    alone = [index().nearest_and_votes(features(row), first[:1], last[:1]) for row in rows]
    for number, found in enumerate(together):
        assert np.array_equal(found, np.concatenate([one[number] for one in alone]))


def test_frequent_terms_are_left_out():
    """A term that most products have tells no neighbours apart."""
    table = csr_matrix(np.ones((30, 5)) * np.r_[0, 1, 1, 1, 1])
    rare = table.toarray()
    rare[3:, 4] = 0
    found = index(csr_matrix(rare), np.zeros(30, np.int64), most_frequent=0.2)
    assert np.diff(found.starts).tolist() == [0, 0, 0, 0, 3]


def test_large_classes_are_cut():
    """Beyond the limit, large classes keep a share and small ones all of their products."""
    labels = np.array([0] * 40 + [1] * 3)
    found = index(csr_matrix(np.ones((43, 5))), labels, most_neighbours=20)
    assert found.products.tolist() == [40, 3]
    assert found.kept[1] == 3
    assert 10 <= found.kept[0] <= 17


def test_round_trip():
    """What is written is what is read."""
    written = index()
    read = Neighbours.from_bytes(written.to_bytes())
    same = [
        np.array_equal(getattr(written, name), getattr(read, name)) for name in written.__slots__
    ]
    assert all(same)


@pytest.mark.parametrize("data", [b"", b"no numbers", index().to_bytes()[:-9]])
def test_garbage_is_refused(data):
    """Neighbours that cannot be read are a clear error."""
    with pytest.raises(BundleError, match="neighbours cannot be read"):
        Neighbours.from_bytes(data)
