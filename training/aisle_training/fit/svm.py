"""One linear support vector machine per node of the taxonomy, against all other products.

A class's score is its own SVM's margin plus those of its ancestors, so that a class with three
products borrows strength from its department. One-vs-rest linear SVMs on TF-IDF: Joachims 1998;
the squared hinge solved in the dual: Hsieh et al. 2008 (liblinear).
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from aisle.model.hierarchy import ClassSet
from aisle.progress import Steps

# SVMs solved in one call of liblinear, which copies the matrix on every call.
_BATCH = 64
# Loose on purpose: on validation splits, SVMs that stop here get as many nodes right as SVMs solved
# to 0.1, in half the time.
_TOLERANCE = 1.0
_MOST_ITERATIONS = 200


def fit_svms(  # noqa: PLR0913  # a problem, and how to solve it
    features: csr_matrix,
    labels: NDArray[np.int64],
    class_sets: Sequence[ClassSet],
    *,
    weights: NDArray[np.float64],
    inverse_regularization: float,
    steps: Steps,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit the SVMs; return coefficients (svms, terms) and intercepts (svms,), float32.

    `features` is float64 (products, terms), `labels` int64 (products,), the class of each,
    `weights` float64 (products,) the sample weights.
    """
    batches = list(_disjoint_batches(class_sets))
    numbers = {class_set: number for number, class_set in enumerate(class_sets)}
    coefficients = np.zeros((len(class_sets), features.shape[1]), np.float32)
    intercepts = np.zeros(len(class_sets), np.float32)
    # Processes, not threads: liblinear has one random sequence per process. Threads would share it
    # and give another model each time.
    pool = Parallel(n_jobs=-1, return_as="generator")
    tasks = (
        delayed(_solve)(features, _targets(labels, batch), weights, inverse_regularization)
        for batch in batches
    )
    for batch, solution in zip(batches, pool(tasks), strict=True):
        rows = [numbers[class_set] for class_set in batch]
        coefficients[rows], intercepts[rows] = solution
        steps.done(len(batch))
    return coefficients, intercepts


def _disjoint_batches(class_sets: Sequence[ClassSet]) -> Iterator[list[ClassSet]]:
    """Group class sets into batches of disjoint ones: each batch is one multi-class problem."""
    batches: list[tuple[list[ClassSet], set[int]]] = []
    for class_set in sorted(class_sets, key=lambda classes: (-len(classes), classes)):
        for batch, taken in batches:
            if len(batch) < _BATCH and taken.isdisjoint(class_set):
                batch.append(class_set)
                taken.update(class_set)
                break
        else:
            batches.append(([class_set], set(class_set)))
    yield from (batch for batch, _ in batches)


def _targets(labels: NDArray[np.int64], batch: Sequence[ClassSet]) -> NDArray[np.int64]:
    """Return the number of each product's class set in the batch, from 1; 0 where it is in none."""
    of_class = np.zeros(labels.max() + 1, np.int64)
    for position, class_set in enumerate(batch, start=1):
        of_class[list(class_set)] = position
    return of_class[labels]


def _solve(
    features: csr_matrix,
    targets: NDArray[np.int64],
    weights: NDArray[np.float64],
    inverse_regularization: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Solve one SVM per target except 0, each against all other products."""
    machine = LinearSVC(
        C=inverse_regularization,
        tol=_TOLERANCE,
        max_iter=_MOST_ITERATIONS,
        random_state=0,
        # Never the primal solver, which "auto" chooses where products outnumber terms: its
        # tolerance has another meaning.
        dual=True,
    )
    with warnings.catch_warnings():
        # An SVM that reaches the limit of iterations is judged on validation like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Many small classes are no regression problem.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        machine.fit(features, targets, sample_weight=weights)
    coefficients, intercepts = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # noqa: PLR2004  # liblinear solves two classes with one SVM
        coefficients = np.vstack([-coefficients, coefficients])
        intercepts = np.r_[-intercepts, intercepts]
    targeted = machine.classes_ > 0
    return coefficients[targeted].astype(np.float32), intercepts[targeted].astype(np.float32)
