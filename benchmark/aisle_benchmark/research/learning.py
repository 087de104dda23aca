"""The learning curve, and what it promises for the whole open data set."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from aisle_benchmark.candidates.features import text_of
from aisle_benchmark.finding import Finding, Section
from aisle_benchmark.protocol import MINIMA, Catalogue
from aisle_benchmark.research.instrument import (
    FIGURES,
    FOLDS,
    CrossValidated,
    features,
    label_counts,
    linear,
    part_of,
    targets,
)

SHARES = (0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
WHOLE = 51_646
"""The products of the whole open data set."""
_DRAWS = 200
_INTERVAL = (5, 95)


def answer(catalogue: Catalogue) -> Finding:
    """Train on growing shares of the groups; fit a power law to the errors of each table."""
    part, counts = part_of(catalogue), label_counts(catalogue)
    rows = part.rows
    texts = [[text_of(row.product) for row in catalogue.rows]]
    # Another part of the hash than the folds': a share is drawn from all folds alike.
    place = np.array([int(group[16:24], 16) / 2**32 for group in catalogue.groups])
    errors = np.zeros((len(MINIMA), len(SHARES), FOLDS))
    sizes = np.zeros((len(SHARES), FOLDS))
    macro = np.zeros((len(MINIMA), len(SHARES), FOLDS))
    for fold in range(FOLDS):
        outside = rows[part.folds[rows] == fold]
        for at, share in enumerate(SHARES):
            inside = rows[(part.folds[rows] != fold) & (place[rows] < share)]
            sizes[at, fold] = len(inside)
            train, test = features(texts, inside, outside)
            for table, minimum in enumerate(MINIMA):
                wanted = targets(catalogue.labels, counts, minimum)
                chosen = linear(train, wanted[inside]).predict(test)
                found = CrossValidated(wanted[outside], chosen)
                errors[table, at, fold] = 1 - found.accuracy
                macro[table, at, fold] = found.macro_f1
    promised = [extrapolate(sizes, errors[table], WHOLE) for table in range(len(MINIMA))]
    size = sizes[-1].mean()
    sentences = ", ".join(
        f"{1 - middle:.3f} (90 % of the refits between {1 - high:.3f} and {1 - low:.3f}) in the "
        f"table of {minimum}"
        for minimum, (middle, low, high) in zip(MINIMA, promised, strict=True)
    )
    return Finding(
        columns=(
            "share of the training rows",
            "products",
            *FIGURES,
        ),
        rows=tuple(
            (
                f"{share:.0%}",
                int(sizes[at].mean()),
                *(
                    value
                    for table in range(len(MINIMA))
                    for value in (1 - errors[table, at].mean(), macro[table, at].mean())
                ),
            )
            for at, share in enumerate(SHARES)
        ),
        sentence=(
            f"A power law through these errors promises, with {WHOLE:,} products instead of "
            f"{size:,.0f}, an accuracy of {sentences}. It takes for granted that the further "
            "products are like these and that the classes stay the same; the whole data set has "
            "more categories, so read it as the direction, not as a figure to expect."
        ),
    )


def extrapolate(
    sizes: NDArray[np.float64], errors: NDArray[np.float64], to: float
) -> tuple[float, float, float]:
    """Return the error that a power law has at a size: the fit's, and 90 % of its refits'.

    `sizes` and `errors` are (shares, folds). The law is a x^-b + c (Hestness et al. 2017), refitted
    to folds drawn with replacement; c, the error that no data takes away, is at least 0.
    """
    chance = np.random.default_rng(0)
    folds = errors.shape[1]
    drawn = []
    for number in range(_DRAWS + 1):
        chosen = np.arange(folds) if number == 0 else chance.integers(folds, size=folds)
        # Noise of the folds as measured, added to the mean: three folds alone vary too little.
        mean = errors[:, chosen].mean(axis=1)
        spread = errors.std(axis=1, ddof=1) / np.sqrt(folds) if folds > 1 else 0
        noise = 0 if number == 0 else chance.normal(0, spread)
        drawn.append(_law(sizes.mean(axis=1), mean + noise, to))
    middle, rest = drawn[0], np.array(drawn[1:])
    low, high = np.percentile(rest, _INTERVAL)
    return middle, float(low), float(high)


def _law(sizes: NDArray[np.float64], errors: NDArray[np.float64], to: float) -> float:
    unit = sizes.max()

    def law(x: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
        return np.asarray(a * x**-b + c)

    start = (max(errors[-1] / 2, 1e-4), 0.4, max(errors[-1] / 2, 1e-4))
    found, _ = curve_fit(
        law, sizes / unit, errors, p0=start, bounds=([0, 0.05, 0], [2, 2, 1]), maxfev=20_000
    )
    return float(law(np.array([to / unit]), *found)[0])


SECTION = Section("learning-curve", "Learning curve", answer)
