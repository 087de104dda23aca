"""One-vs-rest SVMs: which ones a taxonomy needs, and that fitting them is deterministic."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack
from sklearn.svm import LinearSVC

from aisle.model.hierarchy import structure
from aisle.product import path_from_names
from aisle.progress import steps
from aisle.taxonomy import Taxonomy
from aisle_training.fit.svm import fit_svms

CLASSES = 6
C = 0.25
CLASS_SETS = [(0, 1), (2, 3, 4, 5), (2, 3), *[(label,) for label in range(CLASSES)]]


def taxonomy(*classes):
    """Make a taxonomy from texts such as "A/B"."""
    return Taxonomy([path_from_names(text.split("/")) for text in classes], [])


@pytest.fixture(scope="module")
def clouds():
    """Give features of products of six classes that overlap a little, and their labels."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % CLASSES
    dense = random.random((240, 300)) * (random.random((240, 300)) < 0.1)
    dense[np.arange(240), labels] += 0.8
    return csr_matrix(dense), labels


@pytest.fixture
def fit(clouds):
    """Give the function that fits SVMs on the clouds."""

    def run(class_sets, labels=clouds[1], features=clouds[0], weights=None):
        with steps("fitting", len(class_sets)) as bar:
            return fit_svms(
                features,
                labels,
                class_sets,
                weights=np.ones(len(labels)) if weights is None else weights,
                inverse_regularization=C,
                steps=bar,
            )

    return run


def test_structure_of_an_uneven_taxonomy():
    """Each distinct class set has one SVM; a shallow class repeats its own below its level."""
    svms = structure(taxonomy("A/1", "A/2", "B", "C/3/x"))
    assert svms.class_sets == ((0, 1), (0,), (1,), (2,), (3,))
    assert svms.slots.tolist() == [[0, 1, 1, 1], [0, 2, 2, 2], [3, 3, 3, 3], [4, 4, 4, 4]]
    assert svms.used.all()


def test_structure_of_a_class_with_classes_below():
    """A class with classes below it has an SVM of its own in addition to its node's."""
    svms = structure(taxonomy("A", "A/1", "B"))
    assert svms.class_sets == ((0, 1), (0,), (1,), (2,))
    assert svms.slots.tolist() == [[0, 1, 1], [0, 2, 2], [3, 3, 3]]


def test_structure_below_one_root():
    """A root above all classes separates nothing: it has no SVM, and its slot is unused."""
    svms = structure(taxonomy("Shop/A", "Shop/B"))
    assert svms.class_sets == ((0,), (1,))
    assert svms.used.tolist() == [[False, True, True], [False, True, True]]


def test_scores_add_up_the_margins_of_the_slots():
    """A class's score is the weighted sum of the margins in its used slots."""
    svms = structure(taxonomy("Shop/A/1", "Shop/A/2", "Shop/B"))
    assert svms.class_sets == ((0, 1), (0,), (1,), (2,))
    margins = np.array([[1, 10, 100, 1000]], np.float32)
    weights = np.array([7, 0.5, 2, 1], np.float32)
    expected = [[0.5 + 20 + 10, 0.5 + 200 + 100, 500 + 2000 + 1000]]
    assert svms.scores(margins, weights).tolist() == expected
    spread = svms.margins(margins)
    assert spread[0].tolist() == [[0, 1, 10, 10], [0, 1, 100, 100], [0, 1000, 1000, 1000]]
    assert (spread @ weights).tolist() == expected


@pytest.mark.parametrize("number", range(len(CLASS_SETS)))
def test_svms_are_one_vs_rest(fit, clouds, number):
    """Each SVM has nearly the margins of the exact SVM of its classes against all others."""
    features, labels = clouds
    coefficients, intercepts = fit(CLASS_SETS)
    positive = np.isin(labels, CLASS_SETS[number])
    exact = LinearSVC(C=C, tol=1e-6, max_iter=100_000, random_state=1).fit(features, positive)
    expected = exact.decision_function(features)
    margins = features @ coefficients[number] + intercepts[number]
    assert np.abs(margins - expected).max() < 0.3
    assert np.mean((margins > 0) == (expected > 0)) > 0.99


def test_svms_do_not_depend_on_the_processors(fit, monkeypatch):
    """One worker process and two give the same bits."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    one_worker = fit(CLASS_SETS)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    two_workers = fit(CLASS_SETS)
    assert one_worker[0].tobytes() == two_workers[0].tobytes()
    assert one_worker[1].tobytes() == two_workers[1].tobytes()


def test_svms_do_not_depend_on_their_order(fit):
    """In reverse order, each SVM has the same bits, at its new position."""
    coefficients, intercepts = fit(CLASS_SETS)
    reversed_coefficients, reversed_intercepts = fit(CLASS_SETS[::-1])
    assert reversed_coefficients[::-1].tobytes() == coefficients.tobytes()
    assert reversed_intercepts[::-1].tobytes() == intercepts.tobytes()


@pytest.mark.parametrize("number", range(len(CLASS_SETS)))
def test_svms_fitted_alone(fit, clouds, number):
    """An SVM fitted alone has the same margins up to the solver's tolerance."""
    features, _ = clouds
    coefficients, intercepts = fit(CLASS_SETS)
    coefficients_alone, intercepts_alone = fit([CLASS_SETS[number]])
    margins = features @ coefficients[number] + intercepts[number]
    margins_alone = features @ coefficients_alone[0] + intercepts_alone[0]
    assert np.abs(margins - margins_alone).max() < 0.3


@pytest.mark.parametrize("class_sets", [[(0,), (1,)], [(1,), (0,)], [(0,)], [(1,)]])
def test_two_classes(fit, clouds, class_sets):
    """With two classes, each SVM is positive for its own class and negative for the other."""
    labels = clouds[1] % 2
    coefficients, intercepts = fit(class_sets, labels)
    margins = clouds[0] @ coefficients.T + intercepts
    expected = np.stack([labels == label for (label,) in class_sets], axis=1)
    assert np.mean((margins > 0) == expected) > 0.98


@pytest.mark.parametrize(("weight", "shift"), [(0.1, 1), (10.0, 0)])
def test_sample_weights(clouds, fit, weight, shift):
    """Where products contradict each other, the SVMs follow those with larger weights."""
    features, labels = clouds
    coefficients, intercepts = fit(
        [(label,) for label in range(CLASSES)],
        np.concatenate([labels, (labels + 1) % CLASSES]),
        vstack([features, features], format="csr"),
        np.repeat([weight, 1.0], len(labels)),
    )
    predicted = (features @ coefficients.T + intercepts).argmax(axis=1)
    assert np.mean(predicted == (labels + shift) % CLASSES) > 0.95


def test_more_products_than_terms(clouds, fit):
    """SVMs can also be fitted to more products than terms."""
    features, labels = clouds[0][:, :CLASSES], clouds[1]
    class_sets = [(label,) for label in range(CLASSES)]
    coefficients, intercepts = fit(class_sets, labels, features)
    margins = features @ coefficients.T + intercepts
    assert np.mean(margins.argmax(axis=1) == labels) > 0.95
