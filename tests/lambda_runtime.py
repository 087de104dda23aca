"""A Lambda function in a separate process; run as a script, this module is that process.

It imitates only this much of Lambda: an environment, an import, then one event after another, with
standard output as the log.
"""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EVENTS = Path(__file__).parent / "events"
_ANSWER = "answer: "  # the prefix of a line that is a result, not a log line


def event(name, **changes):
    """Read a recorded event, with fields replaced by `changes`."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8")) | changes


@dataclass(frozen=True)
class Calls:
    """The results of a function, its JSON log lines, and all its output as text."""

    answers: list
    logs: list
    text: str

    @property
    def metrics(self):
        """Return the values of each metric, as CloudWatch extracts them from the log."""
        values = {}
        for line in self.logs:
            for group in line.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in group["Metrics"]:
                    values.setdefault(metric["Name"], []).extend(line[metric["Name"]])
        return values

    def messages(self, level):
        """Return the log lines of a level."""
        return [line for line in self.logs if line.get("level") == level]


def call(module, *events, setup="", **environment):
    """Run `setup`, a line of Python, import a function, and send it events."""
    process = subprocess.run(
        [sys.executable, "-W", "error", __file__, module, setup],
        input=json.dumps(events),
        capture_output=True,
        check=False,
        # None of this process's environment, only what Lambda sets.
        env={"LAMBDA_TASK_ROOT": "/var/task", "AWS_EC2_METADATA_DISABLED": "true"} | environment,
        text=True,
        timeout=1800,  # guards against a function that hangs
    )
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    answers = [json.loads(line.removeprefix(_ANSWER)) for line in lines if line.startswith(_ANSWER)]
    logs = [json.loads(line) for line in lines if line.startswith("{")]
    text = "\n".join(line for line in lines if not line.startswith(_ANSWER))
    return Calls(answers, logs, text + process.stderr)


class _Context:
    function_name = "aisle"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:aisle"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self):
        """Return enough time."""
        return 29_000


def _main(module, setup):
    exec(setup)  # noqa: S102  # code of a test
    handler = importlib.import_module(module).handler
    for recorded in json.load(sys.stdin):
        try:
            answer = handler(recorded, _Context())
        except Exception as error:  # noqa: BLE001  # as Lambda does
            answer = {"errorMessage": str(error), "errorType": type(error).__name__}
        sys.stdout.flush()
        os.write(1, f"{_ANSWER}{json.dumps(answer)}\n".encode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
