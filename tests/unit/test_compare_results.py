"""Results of the comparison: saved and loaded under keys that name their inputs."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from aisle.store import open_store
from aisle_benchmark import results
from aisle_benchmark.candidates.base import Candidate
from aisle_benchmark.protocol import Table
from aisle_benchmark.research import learning
from aisle_benchmark.results import Costs, FoldResult

TABLE = Table(100, "text", ("a", "other"))
COSTS = Costs(10.0, 1.0, 2.0, 500.0, 1000, 2000)


@dataclass(frozen=True)
class Guess(Candidate):
    """A candidate with a parameter."""

    name: ClassVar[str] = "guess"
    title: ClassVar[str] = "a guess"
    boldness: float = 1.0


def result(*probabilities, costs=COSTS, **extras):
    """Make a result of two products."""
    return FoldResult(np.array([3, 8]), np.array(probabilities, np.float32), costs, extras)


def test_round_trip(tmp_path):
    """A saved result is loaded with its numbers, costs and extras."""
    store = open_store(tmp_path.as_uri())
    saved = result([0.2, 0.8], [0.6, 0.4], level_right=np.array([True, False]))
    key = results.result_key("3f9c", Guess(), TABLE, 2)
    results.save(store, key, saved)
    loaded = results.load(store, key)
    assert loaded.rows.tolist() == [3, 8]
    assert loaded.probabilities.tolist() == saved.probabilities.tolist()
    assert loaded.costs == COSTS
    assert loaded.extras["level_right"].tolist() == [True, False]


@pytest.mark.parametrize(
    "other",
    [
        results.result_key("3f9c", Guess(boldness=2), TABLE, 0),
        results.result_key("3f9c", Guess(), replace(TABLE, min_products=20), 0),
        results.result_key("3f9c", Guess(), replace(TABLE, inputs="attributes"), 0),
        results.result_key("3f9c", Guess(), TABLE, 1),
        results.result_key("aaaa", Guess(), TABLE, 0),
    ],
    ids=["parameter", "threshold", "inputs", "fold", "data"],
)
def test_key_names_what_a_result_depends_on(other):
    """Another parameter, table, fold or data file has another key."""
    assert results.result_key("3f9c", Guess(), TABLE, 0) == results.result_key(
        "3f9c", Guess(), TABLE, 0
    )
    assert other != results.result_key("3f9c", Guess(), TABLE, 0)


def test_another_version_has_other_results(monkeypatch):
    """A new version of a candidate has other keys."""
    before = results.result_key("3f9c", Guess(), TABLE, 0)
    monkeypatch.setattr(Guess, "version", 2)
    assert results.result_key("3f9c", Guess(), TABLE, 0) != before


def test_vote_is_the_mean_at_the_sum_of_the_costs():
    """A vote averages probabilities, adds up times and sizes, and has the largest peak memory."""
    cheap, dear = Costs(1.0, 0.5, 3.0, 2000.0, 700, 9000), Costs(20.0, 4.0, 8.0, 100.0, 400, 50)
    members = [
        result([0.9, 0.1], [0.5, 0.5]),
        result([0.8, 0.2], [0.2, 0.8], costs=cheap),
        result([0.1, 0.9], [0.2, 0.8], costs=dear),
    ]
    vote = results.combine(members)
    assert vote.probabilities == pytest.approx(np.array([[0.6, 0.4], [0.3, 0.7]]))
    assert vote.costs.batch_per_second == pytest.approx(80)
    assert replace(vote.costs, batch_per_second=80) == Costs(31.0, 5.5, 13.0, 80, 2100, 9000)


def test_power_law_is_extrapolated():
    """Errors that follow a power law are extrapolated along it, with a narrow interval."""
    sizes = np.tile(np.array([500.0, 1000, 2000, 3000, 4000, 6000])[:, None], 3)
    errors = 0.05 + 2 * sizes**-0.4
    middle, low, high = learning.extrapolate(sizes, errors, 50_000)
    assert middle == pytest.approx(0.05 + 2 * 50_000**-0.4, abs=0.003)
    assert high - low < 0.005


def test_scattered_errors_have_a_wide_interval():
    """Scattered errors give a wide interval."""
    chance = np.random.default_rng(1)
    sizes = np.tile(np.array([500.0, 1000, 2000, 3000, 4000, 6000])[:, None], 3)
    errors = 0.05 + 2 * sizes**-0.4
    _, low, high = learning.extrapolate(sizes, errors + chance.normal(0, 0.02, (6, 3)), 50_000)
    assert high - low > 0.01
