"""The compared candidates: the shipped model, its peers, and their features.

Candidates and the features that several of them share belong here. Running and scoring them does
not, nor does anything that the training job needs: nothing below the benchmark imports it.
"""

from aisle_benchmark.candidates.base import Candidate
from aisle_benchmark.candidates.ensembles import Stacked, Voting
from aisle_benchmark.candidates.fasttext import FastText
from aisle_benchmark.candidates.finetuned import FineTuned
from aisle_benchmark.candidates.linear import LinearSVM, LogisticRegression, NaiveBayes
from aisle_benchmark.candidates.neural import Perceptron
from aisle_benchmark.candidates.plugged import PluggedIn
from aisle_benchmark.candidates.sentence import SentenceEmbeddings
from aisle_benchmark.candidates.shipped import Shipped
from aisle_benchmark.candidates.trees import CatBoost, LightGBM, RandomForest, XGBoost

FINETUNED = FineTuned.name
"""Runs on one fold only, with its own option."""
CANDIDATES: dict[str, Candidate] = {
    candidate.name: candidate
    for candidate in (
        NaiveBayes(),
        LogisticRegression(),
        LinearSVM(),
        RandomForest(),
        XGBoost(),
        CatBoost(),
        LightGBM(),
        Perceptron(),
        Voting(),
        Stacked(),
        FastText(),
        SentenceEmbeddings(),
        Shipped(),
        FineTuned(),
    )
}
PEERS = tuple(name for name in CANDIDATES if name != FINETUNED)
SHIPPED = Shipped.name
QUICK = (NaiveBayes.name, LinearSVM.name, Perceptron.name, Shipped.name)
"""The fast candidates, which `--quick` runs."""


def named(name: str) -> Candidate:
    """Return the candidate of a name; `package.module:Class` names an external one."""
    return PluggedIn(name) if ":" in name else CANDIDATES[name]
