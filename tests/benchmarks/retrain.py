"""Measure the time of a training on corrections, gate included.

    python -m tests.benchmarks.retrain [--data FILE] [--corrections N]

The first training leaves out one product in eight of the catalogue (a made-up one without --data).
N of those products, the misclassified ones first, are then corrected with their own labels. Then
`aisle train --feedback` runs in a fresh process.
"""

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from aisle.catalogue.labelled import read_labelled
from aisle.catalogue.products import LabelledProduct
from aisle.catalogue.records import read_records
from aisle.feedback.event import NamedCategory, new_event, record_feedback
from aisle.model.classifier import Classifier
from aisle.registry import bundles
from aisle.store import Store, open_store
from aisle_training.parameters import load
from aisle_training.pipeline import Trainer
from tests import made_up

_TRAIN = "from aisle.cli.main import main; main()"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="a labelled catalogue (default: made-up)")
    parser.add_argument("--corrections", type=int, default=50, help="how many (default: 50)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = (
            list(made_up.products(4000))
            if options.data is None
            else [record.raw for record in read_records(options.data)]
        )
        early = made_up.write_catalogue(
            Path(folder, "early.jsonl"), [row for at, row in enumerate(rows) if at % 8]
        )
        late = made_up.write_catalogue(Path(folder, "late.jsonl"), rows[::8])
        store = open_store(str(Path(folder, "store")))
        Trainer(store, load()).train(early)
        wrong = correct(store, list(read_labelled(late)), options.corrections)
        began, before = time.perf_counter(), _processor()
        process = subprocess.run(
            [sys.executable, "-c", _TRAIN, "--store", store.url, "train", "--feedback"],
            check=False,
        )
        seconds, processor = time.perf_counter() - began, _processor() - before
    outcome = {0: "published", 3: "refused"}.get(process.returncode, "failed")
    head = (
        "products",
        "corrections",
        "wrong before",
        "cores",
        "wall, s",
        "processor, s",
        "outcome",
    )
    print(f"| {' | '.join(head)} |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    counts = f"| {len(rows) - len(rows[::8]):,} | {options.corrections} | {wrong} "
    print(f"{counts}| {os.cpu_count()} | {seconds:.0f} | {processor:.0f} | {outcome} |")


def _processor() -> float:
    """Return the processor time, in seconds, of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def correct(store: Store, rows: list[LabelledProduct], count: int) -> int:
    """Record `count` corrections, of misclassified products first; return how many were wrong."""
    classifier = Classifier(bundles.current_bundle(store))
    predictions = classifier.predict([row.product for row in rows], top_k=0, explain=False)
    is_wrong = [
        prediction.category.category.id != row.path[-1].id
        for prediction, row in zip(predictions, rows, strict=True)
    ]
    wrong = list(itertools.compress(rows, is_wrong))
    right = [row for row, mistaken in zip(rows, is_wrong, strict=True) if not mistaken]
    for number, row in enumerate([*wrong, *right][:count]):
        event = new_event(
            row.product,
            client=f"client-{number % 3}",
            now=datetime.now(UTC),
            category=NamedCategory(path=tuple(node.name for node in row.path)),
        )
        record_feedback(store, event)
    return min(len(wrong), count)


if __name__ == "__main__":
    main()
