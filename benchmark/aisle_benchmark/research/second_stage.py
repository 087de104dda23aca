"""What each feature of the second stage brings: `python -m aisle_benchmark.research.second_stage`.

An ablation: trees are fitted without a feature on the cross-fitted folds of train and validation,
and judged on the fold that they have not seen. Fits differ by chance as much as by most features,
so each is repeated with several seeds. `docs/FEATURES.md` has the results.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.model.rerank.features import FEATURES
from aisle.progress import say, track
from aisle.store import open_store
from aisle_training import parameters
from aisle_training.data.ingest import ingest, read_snapshot
from aisle_training.data.prepare import Example, prepare
from aisle_training.fit.crossfit import Fold, cross_fit, fit_second_stage
from aisle_training.parameters import Parameters, RerankParameters

_SEEDS = 4
_LEAST_PROBABILITY = 1e-9

GROUPS = {
    "all of the linear stage's margins": tuple(
        name for name in FEATURES if name.startswith("margin")
    ),
    "all of the nearest neighbours": tuple(
        name for name in FEATURES if name.startswith(("vote", "nearest"))
    ),
    "all of naive Bayes": tuple(name for name in FEATURES if name.endswith("likelihood")),
}
"""Features that are computed together and can stand in for each other."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """What happens without some features, on held-out products.

    `log_loss` is how much the mean log loss rises, `error` its standard error over the products,
    `accuracy` how much the accuracy rises.
    """

    name: str
    log_loss: float
    error: float
    accuracy: float


def ablate(folds: Sequence[Fold], settings: RerankParameters) -> Iterator[Ablation]:
    """Yield the ablation of each feature, then of each of `GROUPS`."""
    losses, right = _judge(folds, settings, FEATURES)
    for name, dropped in ({name: (name,) for name in FEATURES} | GROUPS).items():
        kept = [feature for feature in FEATURES if feature not in dropped]
        other_losses, other_right = _judge(folds, settings, kept)
        rise = other_losses - losses
        yield Ablation(
            name,
            float(rise.mean()),
            float(rise.std() / sqrt(len(rise))),
            float(other_right.mean() - right.mean()),
        )


def _judge(
    folds: Sequence[Fold], settings: RerankParameters, features: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log loss of each held-out example, and the share of seeds that predict its class.

    The trees of each fold are fitted on the others, with some of the features.
    """
    columns = [FEATURES.index(name) for name in features]
    parts = [replace(fold, described=fold.described[:, :, columns]) for fold in folds]
    losses, right = [], []
    for part in parts:
        others = [other for other in parts if other is not part]
        rows = np.flatnonzero(part.labels[: len(part.paths)] >= 0)
        for seed in range(_SEEDS):
            second_stage = fit_second_stage(others, settings, features, seed=seed)
            probabilities = part.reranked(*second_stage)[rows]
            of_labels = probabilities[np.arange(len(rows)), part.labels[rows]]
            losses.append(-np.log(np.maximum(of_labels.astype(np.float64), _LEAST_PROBABILITY)))
            right.append(probabilities.argmax(axis=1) == part.labels[rows])
    by_seed = [np.concatenate(losses[seed::_SEEDS]) for seed in range(_SEEDS)]
    right_by_seed = [np.concatenate(right[seed::_SEEDS]) for seed in range(_SEEDS)]
    return np.mean(by_seed, axis=0), np.mean(right_by_seed, axis=0)


def folds_of(examples: Sequence[Example], settings: Parameters) -> list[Fold]:
    """Cross-fit the linear stage, with the first candidate of each choice.

    To choose them first would take several times as long, for the same comparison.
    """
    return cross_fit(
        examples,
        settings.learning,
        inverse_regularization=min(settings.fit.inverse_regularization),
        min_products=min(settings.fit.min_products),
        level_weights=(settings.fit.ancestor_weight, 1.0),
    )


def _examples(data: Path, settings: Parameters) -> list[Example]:
    """Return the examples of a catalogue's train and validation splits."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder).as_uri())
        snapshot, rows = read_snapshot(store, ingest(store, data).id)
        prepared = prepare(store, snapshot, rows, settings.prepare)
    return [*prepared.train, *prepared.validation]


def main() -> None:
    """Print the ablation of a catalogue as a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a catalogue, as `aisle train --data` takes it")
    data = parser.parse_args().data
    settings = parameters.load()
    examples = _examples(data, settings)
    folds = folds_of(examples, settings)
    say(f"{len(examples)} products of train and validation in {len(folds)} folds.")
    ablations = ablate(folds, settings.rerank)
    print("| without | log loss | standard error | accuracy |\n| --- | ---: | ---: | ---: |")  # noqa: T201  # the output
    for ablation in track(ablations, "ablating", total=len(FEATURES) + len(GROUPS)):
        print(  # noqa: T201  # the output
            f"| {ablation.name} | {ablation.log_loss:+.4f} | {ablation.error:.4f} | "
            f"{ablation.accuracy:+.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
