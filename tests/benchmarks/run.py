"""Measure how fast the packaged model answers, beside a scikit-learn pipeline in the same run.

    python -m tests.benchmarks.run [--data FILE] [--rounds N]

The peer is what people write in a notebook: TF-IDF over words, word pairs and character n-grams,
and a linear support vector machine, trained on the same file. Times on a shared machine are noisy:
each figure is the median of several rounds, and the ratios say more than the milliseconds.
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
# Not getrusage: a child starts with its parent's peak there.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="a labelled catalogue; made-up products without")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    data = options.data or made_up.write_catalogue(
        Path(tempfile.mkdtemp()) / "made-up.jsonl", made_up.products(4000)
    )
    rows = list(read_labelled(data))
    asked = [row.product for row in rows[:: max(1, len(rows) // 1000)]]
    classifier = Classifier(bundle.read(bundle.PACKAGED))
    peer = _peer([row.product for row in rows], [row.path[-1].id for row in rows])

    def aisle_one(product: Product) -> None:
        classifier.predict([product], explain=False)

    def aisle_explained(product: Product) -> None:
        classifier.predict([product])

    def peer_one(product: Product) -> None:
        peer.predict([_text(product)])

    ones = _rounds(options.rounds, asked, (aisle_one, aisle_explained, peer_one))
    batches = _batches(
        options.rounds,
        len(asked),
        lambda: classifier.predict(asked, explain=False),
        lambda: peer.predict([_text(product) for product in asked]),
    )
    cold = [_cold() for _ in range(options.rounds)]

    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, model {classifier.model_version}, {data.name}\n")
    print("| | Aisle | Aisle with evidence | scikit-learn pipeline |")
    print("| --- | ---: | ---: | ---: |")
    for name, share in (("p50", 50), ("p99", 99)):
        values = [statistics.median(_share(times, share) for times in one) for one in ones]
        figures = " | ".join(f"{1e3 * each:.2f}" for each in values)
        print(f"| one product, {name}, ms | {figures} |")
    print(f"| products a second in a batch, one thread | {batches[0]:.0f} | | {batches[1]:.0f} |")
    print(f"| start to first answer, s | {statistics.median(one for one, _ in cold):.2f} | | |")
    print(f"| peak memory, MiB | {statistics.median(two for _, two in cold):.0f} | | |")


def _peer(products: list[Product], labels: list[str]):
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2
    )
    pipeline = make_pipeline(make_union(words, characters), LinearSVC(C=0.5))
    return pipeline.fit([_text(product) for product in products], labels)


def _text(product: Product) -> str:
    return f"{product.name or ''} {product.description or ''}"


def _rounds(
    rounds: int, asked: list[Product], answers: tuple[Callable[[Product], None], ...]
) -> list[list[list[float]]]:
    """Return for each way to answer, for each round, the seconds of each product."""
    times: list[list[list[float]]] = [[] for _ in answers]
    for _ in range(rounds):
        for at, answer in enumerate(answers):
            mine = []
            for product in asked[:300]:
                began = time.perf_counter()
                answer(product)
                mine.append(time.perf_counter() - began)
            times[at].append(mine)
    return times


def _batches(rounds: int, size: int, *answers: Callable[[], object]) -> list[float]:
    """Return for each way to answer a batch of a size, the products a second."""
    rates: list[list[float]] = [[] for _ in answers]
    for _ in range(rounds):
        for at, answer in enumerate(answers):
            began = time.perf_counter()
            answer()
            rates[at].append(size / (time.perf_counter() - began))
    return [statistics.median(each) for each in rates]


def _share(times: list[float], share: int) -> float:
    return statistics.quantiles(times, n=100)[share - 1]


def _cold() -> tuple[float, float]:
    """Return the seconds and the MiB of a fresh process until its first answer."""
    done = subprocess.run([sys.executable, "-c", _COLD], capture_output=True, text=True, check=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


if __name__ == "__main__":
    main()
