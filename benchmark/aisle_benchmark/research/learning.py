"""The learning curve, and its extrapolation to the whole open data set."""

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
"""The number of products in the whole open data set."""
_DRAWS = 200
_INTERVAL = (5, 95)


def answer(catalogue: Catalogue) -> Finding:
    """Train on growing shares of the groups; fit a power law to the errors of each table."""
    part, counts = part_of(catalogue), label_counts(catalogue)
    rows = part.rows
    texts = [[text_of(row.product) for row in catalogue.rows]]
    # Not the part of the hash that gives the folds, so that each share takes from all folds.
    position = np.array([int(group[16:24], 16) / 2**32 for group in catalogue.groups])
    errors = np.zeros((len(MINIMA), len(SHARES), FOLDS))
    sizes = np.zeros((len(SHARES), FOLDS))
    macro = np.zeros((len(MINIMA), len(SHARES), FOLDS))
    for fold in range(FOLDS):
        outside = rows[part.folds[rows] == fold]
        for step, share in enumerate(SHARES):
            inside = rows[(part.folds[rows] != fold) & (position[rows] < share)]
            sizes[step, fold] = len(inside)
            train, test = features(texts, inside, outside)
            for table, minimum in enumerate(MINIMA):
                true = targets(catalogue.labels, counts, minimum)
                chosen = linear(train, true[inside]).predict(test)
                validated = CrossValidated(true[outside], chosen)
                errors[table, step, fold] = 1 - validated.accuracy
                macro[table, step, fold] = validated.macro_f1
    extrapolated = [extrapolate(sizes, errors[table], WHOLE) for table in range(len(MINIMA))]
    size = sizes[-1].mean()
    accuracies = ", ".join(
        f"{1 - middle:.3f} (90 % of the refits between {1 - high:.3f} and {1 - low:.3f}) in the "
        f"table of {minimum}"
        for minimum, (middle, low, high) in zip(MINIMA, extrapolated, strict=True)
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
                int(sizes[step].mean()),
                *(
                    value
                    for table in range(len(MINIMA))
                    for value in (1 - errors[table, step].mean(), macro[table, step].mean())
                ),
            )
            for step, share in enumerate(SHARES)
        ),
        sentence=(
            f"A power law fitted to these errors extrapolates, from {size:,.0f} to {WHOLE:,} "
            f"products, to an accuracy of {accuracies}. It assumes that the additional products "
            "resemble these and that the classes stay the same. The whole data set has more "
            "categories, so this is a trend, not a forecast."
        ),
    )


def extrapolate(
    sizes: NDArray[np.float64], errors: NDArray[np.float64], to: float
) -> tuple[float, float, float]:
    """Return a power law's error at a size: that of the fit, and the interval of 90 % of refits.

    `sizes` and `errors` are (shares, folds). The law is a x^-b + c (Hestness et al. 2017), refitted
    to folds drawn with replacement; c, the irreducible error, is at least 0.
    """
    chance = np.random.default_rng(0)
    folds = errors.shape[1]
    drawn = []
    for number in range(_DRAWS + 1):
        chosen = np.arange(folds) if number == 0 else chance.integers(folds, size=folds)
        # The measured noise of the folds is added, because redrawing three folds varies too little.
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
    fitted, _ = curve_fit(
        law, sizes / unit, errors, p0=start, bounds=([0, 0.05, 0], [2, 2, 1]), maxfev=20_000
    )
    return float(law(np.array([to / unit]), *fitted)[0])


SECTION = Section("learning-curve", "Learning curve", answer)
