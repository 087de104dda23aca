"""The candidates, in the order of the tables."""

from training.compare.candidates.base import Candidate
from training.compare.candidates.ensembles import Stacked, Voting
from training.compare.candidates.fasttext import FastText
from training.compare.candidates.finetuned import FineTuned
from training.compare.candidates.linear import LinearSVM, LogisticRegression, NaiveBayes
from training.compare.candidates.neural import Perceptron
from training.compare.candidates.sentence import SentenceEmbeddings
from training.compare.candidates.shipped import Shipped
from training.compare.candidates.trees import CatBoost, LightGBM, RandomForest, XGBoost

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
