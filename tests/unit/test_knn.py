"""Nearest neighbours: similarities and votes from the inverted index of training products."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from aisle.errors import BundleError
from aisle.model.rerank.knn import NearestNeighbours
from aisle.model.tfidf import Features
from aisle_training import parameters
from aisle_training.fit.rerank import index_neighbours

TERMS = ["c:pan", "m:mott", "n:pan", "w:pan", "w:red"]
# Class 0: a red pan by Mott, a pan; class 1: something red. The last column is not a term.
TABLE = csr_matrix(
    np.array([[0.9, 0, 0, 0, 1.0, 9], [0.9, 1, 0, 3, 4, 9], [0.9, 0, 0, 2, 0, 9]], np.float64)
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
    """The similarity is the cosine of words, names' words and manufacturers."""
    similarities = index().similarities(features({0: 9.0, 3: 1.0, 4: 1.0}, {3: 0.1}, {0: 1.0}))
    cosine = 7 / np.sqrt(26 * 2)
    expected = [[cosine, np.sqrt(0.5), np.sqrt(0.5)], [3 / np.sqrt(26), 1, 0], [0, 0, 0]]
    assert similarities == pytest.approx(np.array(expected), abs=5e-3)


def test_no_precision_is_lost_but_by_rounding_to_8_bits():
    """Vectors whose values are multiples of 1/255 have exact cosines, in float32."""
    table = csr_matrix(np.array([[0, 0, 0, 3.0, 4.0], [0, 2.0, 0, 0, 0]]))
    similarities = index(table, np.array([0, 1])).similarities(features({3: 2.0}, {1: 0.3, 4: 0.4}))
    assert similarities == pytest.approx(np.array([[0.6, 0], [0.64, 0.6]]), abs=1e-6)
    assert similarities.dtype == np.float32


def test_nearest_and_votes():
    """Each class gets its nearest neighbour's similarity and its share of the votes.

    Votes are similarities to the power of 8. The classes may come in any order.
    """
    batch = features({3: 1.0}, {0: 1.0}, {4: 1.0})
    nearest, votes, nearest_of_all = index().nearest_and_votes(batch, np.array([[1, 0]] * 3))
    similar = 4 / np.sqrt(26)  # to the red pan; to something red it is 1
    vote = 1 / (1 + similar**8)
    assert nearest == pytest.approx(np.array([[0, 1], [0, 0], [1, similar]]), abs=5e-3)
    assert votes == pytest.approx(np.array([[0, 1], [0, 0], [vote, 1 - vote]]), abs=5e-3)
    assert nearest_of_all == pytest.approx(np.array([1, 0, 1]), abs=5e-3)


def test_every_product_votes():
    """The nearest of a class's products counts once, but all of them vote."""
    labels = np.array([1, 0, 0])
    batch = features({3: 1.0, 4: 1.0})
    nearest, votes, _ = index(labels=labels).nearest_and_votes(batch, np.array([[0, 1]]))
    similarities = np.array([7 / np.sqrt(26 * 2), np.sqrt(0.5), np.sqrt(0.5)])
    expected = (similarities[:2] ** 8).sum() / (similarities**8).sum()
    assert nearest == pytest.approx(similarities[None, [0, 2]], abs=5e-3)
    assert votes == pytest.approx(np.array([[expected, 1 - expected]]), abs=5e-3)


def test_nearest_is_at_most_1():
    """Rounding up to 8 bits does not make a product more similar to itself than 1."""
    neighbours = index(csr_matrix(np.array([[0, 0, 0, 1.0, 3.0]])), np.array([0]))
    itself = features({3: 1.0, 4: 3.0})
    assert neighbours.similarities(itself) > 1
    nearest, _, nearest_of_all = neighbours.nearest_and_votes(itself, np.array([[0]]))
    assert (nearest, nearest_of_all) == (1, 1)


def test_faint_neighbours_have_no_votes():
    """Where all neighbours are hardly similar, no class gets a large share of the votes."""
    neighbours = index(csr_matrix(np.array([[0, 3.0, 0, 0, 0], [0, 0, 0.04, 0, 1]])), LABELS[:2])
    _, votes, _ = neighbours.nearest_and_votes(features({2: 1.0}), np.array([[0, 1]]))
    assert votes[0, 1] == 0
    assert votes[0, 0] == pytest.approx((10 / 255) ** 8 / 1e-9, rel=0.02)


def test_alone_or_together():
    """A product's neighbours do not depend on the others in the batch."""
    rows = [{3: 1.0, 4: 2.0}, {}, {1: 1.0}]
    classes = np.array([[0, 1]])
    together = index().nearest_and_votes(features(*rows), np.repeat(classes, 3, axis=0))
    alone = [index().nearest_and_votes(features(row), classes) for row in rows]
    for result, *parts in zip(together, *alone, strict=True):
        assert np.array_equal(result, np.concatenate(parts))


def test_frequent_terms_are_left_out():
    """Terms that most products have are not indexed."""
    table = csr_matrix(np.ones((30, 5)) * np.r_[0, 1, 1, 1, 1])
    rare = table.toarray()
    rare[3:, 4] = 0
    neighbours = index(csr_matrix(rare), np.zeros(30, np.int64), most_frequent=0.2)
    assert np.diff(neighbours.starts).tolist() == [0, 0, 0, 0, 3]


@pytest.mark.parametrize(("most_frequent", "most"), [(0.2, 6), (0.1, 3), (0.01, 2)])
def test_terms_at_the_limit_are_indexed(most_frequent, most):
    """A term of exactly the largest share is indexed, and one of two products in any case."""
    table = np.zeros((30, 5))
    table[:most, 3] = 1
    table[: most + 1, 4] = 1
    neighbours = index(csr_matrix(table), np.zeros(30, np.int64), most_frequent=most_frequent)
    assert np.diff(neighbours.starts).tolist() == [0, 0, 0, most, 0]


def test_large_classes_are_cut():
    """Beyond the limit, large classes keep a share and small ones all of their products."""
    labels = np.array([0] * 40 + [1] * 3)
    neighbours = index(csr_matrix(np.ones((43, 5))), labels, most_neighbours=20)
    assert neighbours.products.tolist() == [40, 3]
    assert neighbours.kept[1] == 3
    assert 10 <= neighbours.kept[0] <= 17


@pytest.mark.parametrize(
    ("most", "kept"), [(43, [40, 3]), (42, [36, 3]), (1, [1, 1])], ids=["all", "cut", "too few"]
)
def test_limit_of_neighbours(most, kept):
    """Nothing is cut at the limit itself; a limit below the number of classes leaves one of each.

    A class's limit falls by a tenth at a time, from 40 to 36.
    """
    labels = np.array([0] * 40 + [1] * 3)
    neighbours = index(csr_matrix(np.ones((43, 5))), labels, most_neighbours=most)
    assert neighbours.kept.tolist() == kept


def test_large_classes_keep_their_first_products():
    """Of classes whose products are mixed, the first ones stay in the index."""
    table = np.zeros((200, 5))
    table[:100, 3] = 1
    table[100:, 4] = 1
    neighbours = index(csr_matrix(table), np.arange(200) % 2, most_neighbours=100)
    assert neighbours.kept.tolist() == [45, 45]
    assert np.diff(neighbours.starts).tolist() == [0, 0, 0, 90, 0]


def test_round_trip():
    """Reading returns what was written, of the same types."""
    written = index()
    read = NearestNeighbours.from_bytes(written.to_bytes(), "knn")
    same = [
        np.array_equal(getattr(written, name), getattr(read, name)) for name in written.__slots__
    ]
    assert all(same)
    types = [getattr(read, name).dtype for name in ("products", "kept", "starts", "rows", "values")]
    assert types == [np.int64, np.int64, np.int64, np.int32, np.uint8]


@pytest.mark.parametrize("data", [b"", b"no numbers", index().to_bytes()[:-9]])
def test_garbage_is_refused(data):
    """Data that cannot be read is a clear error, which names the file."""
    with pytest.raises(BundleError, match=r"knn\.x cannot be read"):
        NearestNeighbours.from_bytes(data, "knn.x")
