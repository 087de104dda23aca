"""The candidates, in the order of the tables."""

from aisle_benchmark.candidates.base import Candidate
from aisle_benchmark.candidates.ensembles import Stacked, Voting
from aisle_benchmark.candidates.fasttext import FastText
from aisle_benchmark.candidates.finetuned import FineTuned
from aisle_benchmark.candidates.linear import LinearSVM, LogisticRegression, NaiveBayes
from aisle_benchmark.candidates.neural import Perceptron
from aisle_benchmark.candidates.sentence import SentenceEmbeddings
from aisle_benchmark.candidates.shipped import Shipped
from aisle_benchmark.candidates.trees import CatBoost, LightGBM, RandomForest, XGBoost

FINETUNED = FineTuned.name
"""Behind an option of its own, on one fold."""
CANDIDATES: dict[str, Candidate] = {
    one.name: one
    for one in (
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
"""The cheap ones, which `--quick` runs."""
