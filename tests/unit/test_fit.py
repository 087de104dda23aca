"""Choices on the validation split, and the quantized weights."""

import numpy as np
import pytest

from aisle_training.fit.fit import quantize, right_nodes, smallest_as_good


def test_right_nodes_on_paper():
    """Nodes count at their own level; nodes beyond the end of the true path do not count."""
    chosen = [("a", "b", "c"), ("a", "x"), ("y",), ("a", "b", "c", "d")]
    true = [("a", "b", "c"), ("a", "b"), ("a", "b"), ("a", "b")]
    assert right_nodes(chosen, true).tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("lost", "gained", "expected"),
    [(0, 0, 1), (4, 3, 1), (9, 4, 1), (10, 1, 3), (100, 0, 3)],
)
def test_finer_unless_it_is_worse(lost, gained, expected):
    """The finer folding wins unless it loses more nodes than two standard errors of the gap."""
    coarse = np.full(1000, 2)
    fine = coarse.copy()
    fine[:lost] -= 1
    fine[lost : lost + gained] += 1
    assert smallest_as_good({3: coarse, 1: fine}) == expected


def test_clearly_better_wins_however_coarse():
    """The best value wins over smaller ones that are worse on every product."""
    right = {1: np.array([0] * 50), 2: np.array([1] * 50), 5: np.array([2] * 50)}
    assert smallest_as_good(right) == 5


def test_pruning_and_quantization():
    """Small weights become 0, except for the listed terms; the others are right to half a step.

    There are more terms than fit in one chunk; one of them has no weight at all.
    """
    random = np.random.default_rng(0)
    coefficients = random.normal(size=(30, 4500)).astype(np.float32) ** 3
    coefficients[:, 3] = 0
    weights, scale = quantize(coefficients, 0.2, [5, 4400])
    assert weights.dtype == np.int8
    restored = (weights.toarray() * scale[:, None]).T
    small = np.abs(coefficients) < 0.2 * np.abs(coefficients).max(axis=0)
    assert small.any(axis=0)[[4, 5, 4399, 4400]].all()
    small[:, [5, 4400]] = False
    assert np.all(restored[small] == 0)
    error = np.abs(restored - coefficients)
    assert np.all((error <= scale / 2 * 1.001)[~small])
