"""Measure the speed of the packaged model and of a scikit-learn pipeline in the same run.

    python -m tests.benchmarks.run [--data FILE] [--rounds N]

The pipeline is a common baseline: TF-IDF over words, word pairs and character n-grams, and a linear
SVM, trained on the same file. Times on a shared machine are noisy: each figure is the median of
several rounds, and ratios are more reliable than milliseconds.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from aisle.catalogue.labelled import read_labelled
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.product import Product
from tests import made_up

_COLD = """
import time
began = time.perf_counter()
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.product import Product
Classifier(bundle.read(bundle.PACKAGED)).predict([Product("Camera mount")])
seconds = time.perf_counter() - began
# Not getrusage, whose peak a child inherits from its parent.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="a labelled catalogue (default: made-up)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default: 5)")
    options = parser.parse_args()

    data = options.data or made_up.write_catalogue(
        Path(tempfile.mkdtemp()) / "made-up.jsonl", made_up.products(4000)
    )
    rows = list(read_labelled(data))
    products = [row.product for row in rows[:: max(1, len(rows) // 1000)]]
    classifier = Classifier(bundle.read(bundle.PACKAGED))
    peer = _peer([row.product for row in rows], [row.path[-1].id for row in rows])

    def predict(product: Product) -> None:
        classifier.predict([product], explain=False)

    def predict_with_evidence(product: Product) -> None:
        classifier.predict([product])

    def peer_predict(product: Product) -> None:
        peer.predict([_text(product)])

    times = _times(options.rounds, products, (predict, predict_with_evidence, peer_predict))
    batches = _batches(
        options.rounds,
        len(products),
        lambda: classifier.predict(products, explain=False),
        lambda: peer.predict([_text(product) for product in products]),
    )
    cold = [_cold() for _ in range(options.rounds)]

    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, model {classifier.model_version}, {data.name}\n")
    print("| | Aisle | Aisle with evidence | scikit-learn pipeline |")
    print("| --- | ---: | ---: | ---: |")
    for name, percent in (("p50", 50), ("p99", 99)):
        values = [
            statistics.median(_percentile(seconds, percent) for seconds in rounds)
            for rounds in times
        ]
        figures = " | ".join(f"{1e3 * value:.2f}" for value in values)
        print(f"| one product, {name}, ms | {figures} |")
    print(f"| products per second in a batch, one thread | {batches[0]:.0f} | | {batches[1]:.0f} |")
    print(f"| start to first answer, s | {statistics.median(time for time, _ in cold):.2f} | | |")
    print(f"| peak memory, MiB | {statistics.median(peak for _, peak in cold):.0f} | | |")


def _peer(products: list[Product], labels: list[str]):
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2
    )
    pipeline = make_pipeline(make_union(words, characters), LinearSVC(C=0.5))
    return pipeline.fit([_text(product) for product in products], labels)


def _text(product: Product) -> str:
    return f"{product.name or ''} {product.description or ''}"


def _times(
    rounds: int, products: list[Product], predictors: tuple[Callable[[Product], None], ...]
) -> list[list[list[float]]]:
    """Return the seconds of each product, by predictor and round."""
    times: list[list[list[float]]] = [[] for _ in predictors]
    for _ in range(rounds):
        for predict, rounds_of_predictor in zip(predictors, times, strict=True):
            seconds = []
            for product in products[:300]:
                began = time.perf_counter()
                predict(product)
                seconds.append(time.perf_counter() - began)
            rounds_of_predictor.append(seconds)
    return times


def _batches(rounds: int, size: int, *predictors: Callable[[], object]) -> list[float]:
    """Return the median products per second of each predictor on a batch of this size."""
    rates: list[list[float]] = [[] for _ in predictors]
    for _ in range(rounds):
        for predict, rates_of_predictor in zip(predictors, rates, strict=True):
            began = time.perf_counter()
            predict()
            rates_of_predictor.append(size / (time.perf_counter() - began))
    return [statistics.median(values) for values in rates]


def _percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]


def _cold() -> tuple[float, float]:
    """Return the seconds and the peak MiB of a fresh process until its first answer."""
    process = subprocess.run(
        [sys.executable, "-c", _COLD], capture_output=True, text=True, check=True
    )
    seconds, megabytes = process.stdout.split()
    return float(seconds), float(megabytes)


if __name__ == "__main__":
    main()
