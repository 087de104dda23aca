"""Measure the time and memory of ingesting a catalogue as large as the whole open data set.

    python -m tests.benchmarks.ingest [--data FILE] [--products N]

The catalogue is one JSON array of about 50 MB in one line, made by repeating and perturbing the
products of a file, or made-up products without --data. A fresh process ingests it.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from aisle.catalogue.records import read_records
from tests import made_up

_PRODUCTS = 51_646
_BYTES = 50_000_000
_INGEST = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from aisle.store import open_store
from aisle_training.data.ingest import ingest
snapshot = ingest(open_store(sys.argv[2]), Path(sys.argv[1]))
seconds = time.perf_counter() - began
# Not getrusage, whose peak a child inherits from its parent.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(snapshot.products, seconds, int(peak.split()[1]) / 1024)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="a labelled catalogue (default: made-up)")
    parser.add_argument(
        "--products", type=int, default=_PRODUCTS, help=f"how many (default: {_PRODUCTS})"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_array(Path(folder, "products.json"), options.data, options.products)
        command = [sys.executable, "-c", _INGEST, str(path), str(Path(folder, "store"))]
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        products, seconds, megabytes = process.stdout.split()
        size = path.stat().st_size / 1e6
    print("| products | array, MB | ingested in, s | peak memory, MiB |")
    print("| ---: | ---: | ---: | ---: |")
    print(f"| {int(products):,} | {size:.0f} | {float(seconds):.1f} | {float(megabytes):.0f} |")


def write_array(path: Path, data: Path | None, products: int) -> Path:
    """Write an array of products with shuffled descriptions, padded to a realistic size."""
    rows: list[dict[str, Any]] = (
        list(made_up.products(4000))
        if data is None
        else [record.raw for record in read_records(data)]
    )
    chance = random.Random(0)
    product_bytes = _BYTES // _PRODUCTS
    with path.open("w") as file:
        for number in range(products):
            row = dict(rows[number % len(rows)])
            words = (row.get("description") or row.get("name") or "").split()
            chance.shuffle(words)
            row |= {"sku": number, "description": " ".join(words)}
            padding = product_bytes - len(json.dumps(row)) - len(', "url": ""')
            row["url"] = "".join(chance.choices("abcdefgh/", k=max(0, padding)))
            file.write(("[" if number == 0 else ", ") + json.dumps(row))
        file.write("]")
    return path


if __name__ == "__main__":
    main()
