"""What the validation split decides: how finely categories are told apart."""

import numpy as np
import pytest

from aisle_training.fit.fit import quantize, right_nodes, smallest_as_good


def test_right_nodes_on_paper():
    """Nodes count at their own level; what is said beyond the true path counts nothing."""
    chosen = [("a", "b", "c"), ("a", "x"), ("y",), ("a", "b", "c", "d")]
    true = [("a", "b", "c"), ("a", "b"), ("a", "b"), ("a", "b")]
    assert right_nodes(chosen, true).tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("lost", "gained", "expected"),
    [(0, 0, 1), (4, 3, 1), (9, 4, 1), (10, 1, 3), (100, 0, 3)],
)
def test_finer_unless_it_is_worse(lost, gained, expected):
    """Of 1,000 products the finer folding has lost some and gained others: noise, or too many."""
    coarse = np.full(1000, 2)
    fine = coarse.copy()
    fine[:lost] -= 1
    fine[lost : lost + gained] += 1
    assert smallest_as_good({3: coarse, 1: fine}) == expected


def test_better_wins_however_coarse():
    """The best value is always in reach of itself."""
    found = {1: np.array([0] * 50), 2: np.array([1] * 50), 5: np.array([2] * 50)}
    assert smallest_as_good(found) == 5


def test_pruning_spares_what_has_to_stay_whole():
    """Small weights are dropped, but for the terms said; what is kept is right to half a step."""
    random = np.random.default_rng(0)
    coefficients = random.normal(size=(30, 8)).astype(np.float32) ** 3
    weights, scale = quantize(coefficients, 0.2, [5])
    kept = weights.toarray() * scale[:, None]
    assert weights.dtype == np.int8
    small = np.abs(coefficients) < 0.2 * np.abs(coefficients).max(axis=0)
    small[:, 5] = False
    assert small.any()
    assert np.all(kept.T[small] == 0)
    assert np.all(np.abs(kept.T - coefficients)[~small] <= (scale / 2 * 1.001)[np.where(~small)[1]])
    assert np.count_nonzero(kept[5]) > np.count_nonzero(kept[4])
