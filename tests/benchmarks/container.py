"""Measure the predict function in its image: init, first call, warm calls, memory.

    python -m tests.benchmarks.container [--cpus 1] [--memory 1024m] [--rounds 5]

These figures are of a container on this machine, not of Lambda: its processor differs, and a cold
start there also fetches the image, starts a sandbox, and loads pages of the image over the network.
"""

import argparse
import json
import platform
import statistics
import subprocess
from datetime import UTC, datetime

from tests import made_up
from tests.containers.commands import LOCKED_DOWN, ROOT
from tests.lambda_runtime import event

TARGET = "predict"
IMAGE = "aisle-bench-predict"
_INSIDE = """
import json, sys, time
from types import SimpleNamespace

events = json.load(sys.stdin)
context = SimpleNamespace(
    function_name="predict", memory_limit_in_mb=1024, aws_request_id="0",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:predict",
)
began = time.perf_counter()
from predict.handler import handler
seconds = [time.perf_counter() - began]
cpu = time.process_time()  # includes the interpreter's start, but no other process
for event in events:
    began = time.perf_counter()
    answer = handler(event, context)
    seconds.append(time.perf_counter() - began)
    assert answer["statusCode"] == 200, answer
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print()
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": int(peak.split()[1]) / 1024}))
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--cpus", default="1", help="processors of the container (default: 1)")
    parser.add_argument("--memory", default="1024m", help="its memory (default: 1024m)")
    parser.add_argument("--rounds", type=int, default=5, help="fresh containers (default: 5)")
    options = parser.parse_args()

    build = ["docker", "build", "--quiet", "--target", TARGET, "--tag", IMAGE, "."]
    subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    limits = ("--cpus", options.cpus, "--memory", options.memory)
    runs = [_run(limits) for _ in range(options.rounds)]
    milliseconds = [[1000 * seconds for seconds in run["seconds"]] for run in runs]
    warm = sorted(call for run in milliseconds for call in run[2:])

    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {options.cpus} CPU(s), ", end="")
    print(f"{options.memory} of memory; {options.rounds} containers, {len(warm)} warm calls.")
    print("Container figures, not Lambda's.\n")
    print("| | |\n| --- | ---: |")
    print(f"| init (imports, packaged model), ms | {_median(run[0] for run in milliseconds):.0f} |")
    print(f"| processor time until then, ms | {_median(1000 * run['cpu'] for run in runs):.0f} |")
    print(f"| first call, ms | {_median(run[1] for run in milliseconds):.1f} |")
    print(f"| warm call, p50, ms | {statistics.median(warm):.2f} |")
    print(f"| warm call, p99, ms | {statistics.quantiles(warm, n=100)[98]:.2f} |")
    print(f"| peak memory, MiB | {_median(run['peak'] for run in runs):.0f} |")


def _run(limits: tuple[str, ...]) -> dict:
    """Start a fresh container, send it made-up products, and return its measurements."""
    products = [
        {"name": row["name"] or "", "description": row["description"] or "no text"}
        for row in made_up.products(401)
    ]
    events = [event("predict", body=json.dumps(product)) for product in products]
    python = ("--entrypoint", "python", IMAGE, "-c", _INSIDE)
    process = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--interactive",
            *limits,
            *LOCKED_DOWN,
            "--network=none",
            *python,
        ],
        input=json.dumps(events),
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(process.stdout.splitlines()[-1])


def _median(values) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
