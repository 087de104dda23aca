"""A function in a process of its own, called as Lambda calls it; run as a script, that process.

It is no more of Lambda than this: an environment, an import, then one event after another, and
standard output is the log.
"""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EVENTS = Path(__file__).parent / "events"
_ANSWER = "answer: "


def event(name, **changes):
    """Read a recorded event; a change replaces what it has, a header where it begins with X-."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8")) | changes


@dataclass(frozen=True)
class Calls:
    """What a function answered, and what it logged: JSON where it is, the rest as text."""

    answers: list
    logs: list
    text: str

    @property
    def metrics(self):
        """Give the values of each metric, as CloudWatch would find them in the log."""
        found = {}
        for line in self.logs:
            for group in line.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in group["Metrics"]:
                    found.setdefault(metric["Name"], []).extend(line[metric["Name"]])
        return found

    def messages(self, level):
        """Give the log lines of a level."""
        return [line for line in self.logs if line.get("level") == level]


def call(module, *events, setup="", **environment):
    """Start a function, after a line of Python that may spoil something, and send it events."""
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, module, setup],
        input=json.dumps(events),
        capture_output=True,
        check=False,
        # Nothing of this process's but where Lambda says that its code is.
        env={"LAMBDA_TASK_ROOT": "/var/task", "AWS_EC2_METADATA_DISABLED": "true"} | environment,
        text=True,
        timeout=1800,  # guards against a function that hangs
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    answers = [json.loads(line.removeprefix(_ANSWER)) for line in lines if line[:8] == _ANSWER]
    logs = [json.loads(line) for line in lines if line[:1] == "{"]
    logged = "\n".join(line for line in lines if line[:8] != _ANSWER)
    return Calls(answers, logs, logged + done.stderr)


class _Context:
    function_name = "aisle"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:aisle"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self):
        """Leave enough time."""
        return 29_000


def _main(module, setup):
    exec(setup)  # noqa: S102  # a test's own line
    handler = importlib.import_module(module).handler
    for each in json.load(sys.stdin):
        try:
            answer = handler(each, _Context())
        except Exception as error:  # noqa: BLE001  # Lambda does so too
            answer = {"errorMessage": str(error), "errorType": type(error).__name__}
        sys.stdout.flush()
        os.write(1, f"{_ANSWER}{json.dumps(answer)}\n".encode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
